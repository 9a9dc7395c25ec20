/** Bytes as they come from a stream, taken in pieces of another size. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The first `count` bytes, which stay; undefined when there are not as many yet. */
  peek(count: number): Buffer | undefined {
    if (this.#bytes < count) return undefined;
    if (this.#chunks.length === 0 || this.#chunks[0]!.length < count)
      this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!.subarray(0, count);
  }

  /** The first `count` bytes, which are gone then; undefined when there are not as many yet. */
  take(count: number): Buffer | undefined {
    const taken = this.peek(count);
    if (taken === undefined) return undefined;
    this.#chunks[0] = this.#chunks[0]!.subarray(count);
    if (this.#chunks[0].length === 0) this.#chunks.shift();
    this.#bytes -= count;
    return taken;
  }
}
