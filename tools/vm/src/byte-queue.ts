/** A queue of bytes: they arrive from a stream in chunks and are taken in pieces of other sizes. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** Returns the first `count` bytes and keeps them; undefined if there are fewer yet. */
  peek(count: number): Buffer | undefined {
    if (this.#bytes < count) return undefined;
    if (this.#chunks.length === 0 || this.#chunks[0]!.length < count)
      this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!.subarray(0, count);
  }

  /** Returns the first `count` bytes and removes them; undefined if there are fewer yet. */
  take(count: number): Buffer | undefined {
    const taken = this.peek(count);
    if (taken === undefined) return undefined;
    this.#chunks[0] = this.#chunks[0]!.subarray(count);
    if (this.#chunks[0].length === 0) this.#chunks.shift();
    this.#bytes -= count;
    return taken;
  }
}
