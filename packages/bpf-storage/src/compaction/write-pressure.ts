/**
 * How fast writes may come in: a decision from the number of tables alone.
 *
 * If writes come in faster than compaction merges, tables pile up and slow every read. So writers are slowed down before
 * they are stopped. From `slowTables` on all writers share a rate, which halves with each further table. At `stopTables`
 * no table is added before some are merged, so writers stop when the memtables are full.
 *
 *   tables        0 .......... 12 ...... 20
 *   bytes/s       unlimited    32 Mi     128 Ki, until memory is full
 */

/** Half as many again as compaction leaves alone: compaction is behind. */
export const slowTables = 12;
/** The rate at `slowTables`, bytes a second: what merging in one thread keeps up with. */
export const slowBytesPerSecond = 32 * 1024 * 1024;
/** A read of an absent key takes up to twenty lookups here. */
export const stopTables = 20;

/** Bytes per second that all writers together may write. */
export function writeRate(tables: number): number {
  if (tables < slowTables) return Infinity;
  return slowBytesPerSecond / 2 ** (Math.min(tables, stopTables) - slowTables);
}

/** Bytes per second that compaction may write. @param bytesPerSecond the limit while writers are not slowed down. */
export function compactionRate(tables: number, bytesPerSecond: number): number {
  return tables < slowTables ? bytesPerSecond : Infinity;
}
