/**
 * Which tables to merge next: a decision from their sizes alone.
 *
 * A key that is in no table costs a lookup in each, so there should be few; merging a table costs reading and writing
 * all of it, so it should be seldom. Size-tiered compaction merges neighbours of like size, so that a byte is
 * rewritten once for each tier it climbs, some log4(data / memtable) times:
 *
 *   newest  1 1 1 1 | 5 | 4 4 | 70  oldest      a run starts anywhere, and takes the next older table while that is
 *           ------->        no larger than what the run has so far, and a fifth
 *
 * A run is worth it when it is `runTablesMin` wide, or when it reaches the oldest table: that bounds the space taken by
 * values that were overwritten or deleted to about the size of the data, and lets tombstones go. Past `tablesGood`
 * tables the two neighbours that are cheapest to merge are, whatever their sizes.
 */

/** Tables side by side in the list, the newest first. */
export interface TableRun {
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** Merging fewer tables of like size at a time would rewrite each byte more often. */
export const runTablesMin = 4;
/** How much larger than the run so far the next table may be. */
export const likeSizeFactor = 1.2;
/** Lookups of absent keys pay for each table; up to here runs of unlike sizes may wait for company. */
export const tablesGood = 8;

/** @param sizes bytes of the tables, the newest first. @returns `undefined` when all is well. */
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
