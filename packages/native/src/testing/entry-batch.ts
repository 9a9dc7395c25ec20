/** Entries as they cross into the addon, from the description in `addon/store/entry_batch.hh`; `null` is a deletion. */
export type BatchEntry = readonly [key: Buffer, value: Buffer | null];

export function encodeBatch(entries: readonly BatchEntry[]): Buffer {
  const pieces = entries.flatMap(([key, value]) => {
    const header = Buffer.alloc(8);
    header.writeUInt8(value === null ? 2 : 0, 0);
    header.writeUInt16LE(key.length, 2);
    header.writeUInt32LE(value?.length ?? 0, 4);
    return value === null ? [header, key] : [header, key, value];
  });
  return Buffer.concat(pieces);
}
