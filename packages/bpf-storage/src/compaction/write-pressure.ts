/**
 * How fast writes may come in: a decision from the number of tables alone.
 *
 * Writes that come faster than compaction merges would pile up tables, and every read would pay for each. So writers
 * are slowed down before they are stopped: from `slowTables` on they share a rate that halves with each further table;
 * at `stopTables` no table is added before some are merged, so that writers stop when the memtables are full.
 *
 *   tables        0 .......... 12 ...... 20
 *   bytes/s       unlimited    32 Mi     128 Ki, until memory is full
 */

/** Half as many again as compaction leaves alone: it is behind. */
export const slowTables = 12;
/** The rate at `slowTables`, bytes a second: what merging in one thread keeps up with. */
export const slowBytesPerSecond = 32 * 1024 * 1024;
/** Reads of absent keys take twenty lookups here. */
export const stopTables = 20;

/** Bytes a second that all writers together may write. */
export function writeRate(tables: number): number {
  if (tables < slowTables) return Infinity;
  return slowBytesPerSecond / 2 ** (Math.min(tables, stopTables) - slowTables);
}

/** Bytes a second that compaction may write, of the `bytesPerSecond` that the store allows it while nobody waits. */
export function compactionRate(tables: number, bytesPerSecond: number): number {
  return tables < slowTables ? bytesPerSecond : Infinity;
}
