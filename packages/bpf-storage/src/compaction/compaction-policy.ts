/**
 * Which tables to merge next: a decision from their sizes alone.
 *
 * A key that no table has costs a lookup in each table, so there should be few tables. A merge reads and writes its tables
 * whole, so there should be few merges. Size-tiered compaction merges neighbours of similar size. A byte is then
 * rewritten once for each tier that it climbs, some log4(data / memtable) times:
 *
 *   newest  1 1 1 1 | 5 | 4 4 | 70  oldest      a run starts anywhere; it takes the next older table if that is at most
 *           ------->                            1.2 times as large as the run so far
 *
 * A run is merged if it has at least `runTablesMin` tables, or if it reaches the oldest table. The latter limits the space
 * of overwritten and deleted values to about the size of the data, and drops tombstones. With more than `tablesGood`
 * tables, the two neighbours that are cheapest to merge are merged, whatever their sizes.
 */

/** Tables side by side in the list, the newest first. */
export interface TableRun {
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** Merges of fewer tables of similar size would rewrite each byte more often. */
export const runTablesMin = 4;
/** How much larger than the run so far the next table may be. */
export const likeSizeFactor = 1.2;
/** Each table costs lookups of absent keys; up to this number, tables of different sizes are left alone. */
export const tablesGood = 8;

/** @param sizes bytes of the tables, the newest first. @returns `undefined` if nothing is to be merged. */
export function chooseRun(sizes: readonly number[]): TableRun | undefined {
  for (let first = 0; first < sizes.length; first += 1) {
    const end = endOfRun(sizes, first);
    const isWide = end - first >= runTablesMin;
    if (isWide || (end === sizes.length && end - first > 1)) return { first, end };
  }
  return sizes.length > tablesGood ? cheapestPair(sizes) : undefined;
}

function endOfRun(sizes: readonly number[], first: number): number {
  let bytes = sizes[first]!;
  let end = first + 1;
  while (end < sizes.length && sizes[end]! <= bytes * likeSizeFactor) {
    bytes += sizes[end]!;
    end += 1;
  }
  return end;
}

function cheapestPair(sizes: readonly number[]): TableRun {
  let first = 0;
  for (let at = 1; at + 1 < sizes.length; at += 1) {
    if (sizes[at]! + sizes[at + 1]! < sizes[first]! + sizes[first + 1]!) first = at;
  }
  return { first, end: first + 2 };
}
