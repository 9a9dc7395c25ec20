/** Streams for tests. */

/** The bytes in chunks of the given sizes, round and round. */
export async function* inChunks(
  bytes: Buffer,
  sizes: readonly number[] = [bytes.length || 1],
): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    // A turn of the event loop, as a real stream would take.
    yield await Promise.resolve(bytes.subarray(at, at + size));
    at += size;
  }
}

export async function toList<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
