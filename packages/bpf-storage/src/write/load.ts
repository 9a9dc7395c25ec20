/**
 * Bulk loads, without the sorting: the types that the caller sees, and how its entries are read.
 */
import { setImmediate } from 'node:timers/promises';
import { scanBatches, type TableFile } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import type { LoadProgress, ProgressMeter } from '../base/progress-meter.js';
import type { ExternalSort } from './external-sort.js';
import type { Bytes, RowKey } from '../format/row-key.js';
import type { TierGate } from '../read/tier-gate.js';

/** The entries of a load, in any order. Keys may repeat; the last one wins. */
export type LoadEntries<Key = Bytes, Value = Bytes> =
  AsyncIterable<readonly [key: Key, value: Value]> | Iterable<readonly [key: Key, value: Value]>;

/** Options of {@link Store.load}. */
export interface LoadOptions {
  /** Called at most 10 times a second, and at the end of each phase. If it throws, the load ends with that error. */
  onProgress?(progress: LoadProgress): void;
  /**
   * When it fires, the load throws `EXOPOOL_ABORTED` and the store is unchanged. The load looks at it between two
   * entries.
   */
  readonly signal?: AbortSignal;
  /** Memory for sorting, bytes. Default 64 MiB; at least 1 MiB. */
  readonly runBytes?: number;
}

/** The result of {@link Store.load}. */
export interface LoadResult {
  /** Entries that the caller gave. */
  readonly loaded: number;
  /** Entries of the new table: each key once. */
  readonly entries: number;
  /** Size of the new table's file. */
  readonly bytes: number;
  /** Sorted runs that were spilled to disk; 0 if everything fitted into `runBytes`. */
  readonly runs: number;
  /** From the call to the end. */
  readonly seconds: number;
}

/** Entries that are taken before the event loop runs: under a millisecond. */
const sliceEntries = 1024;
/** Keys deleted from the cache tier in one call, or a few more. */
const purgeKeysMax = 1024;
/** Below this a load would make thousands of tiny runs. */
export const runBytesMin = 1024 * 1024;

/**
 * Feeds the caller's entries to `sorter`.
 * @param mayGoOn called before each entry; it throws to stop.
 * @returns the number of entries.
 */
export async function gatherEntries(
  entries: LoadEntries,
  sorter: ExternalSort,
  meter: ProgressMeter,
  mayGoOn: () => void,
): Promise<number> {
  let count = 0;
  const add = (pair: unknown): Promise<unknown> | undefined => {
    mayGoOn();
    if (!Array.isArray(pair))
      throw new ExopoolError('EXOPOOL_INVALID', 'an entry to load must be a pair [key, value]');
    const [key, value] = pair as [Bytes, Bytes];
    const hasRoom = sorter.add(key, value);
    count += 1;
    if (hasRoom && count % sliceEntries > 0) return undefined;
    meter.report('read', count, sorter.bytes);
    return hasRoom ? setImmediate() : sorter.spill();
  };
  mayGoOn();
  if (Symbol.iterator in entries) {
    // Waiting for each entry would cost more than the entry.
    for (const pair of entries) {
      const wait = add(pair);
      if (wait !== undefined) await wait;
    }
  } else {
    for await (const pair of entries) await add(pair);
  }
  meter.report('read', count, sorter.bytes, true);
  return count;
}

/**
 * Deletes the keys of `table` from the cache tier, because the load is about to replace them. The tier must be paused
 * until the table is in its place; otherwise a read could admit an old value again.
 */
export async function purgeLoaded(table: TableFile, gate: TierGate, mayGoOn: () => void): Promise<void> {
  if (!gate.isAttached) return;
  let replaced: RowKey[] = [];
  for await (const batch of scanBatches({ tables: [table] }, { keysOnly: true }, mayGoOn)) {
    for (const [key] of batch) {
      if (gate.mayNeedDeletion(key)) replaced.push({ bytes: key, text: key.toString('latin1') });
    }
    if (replaced.length < purgeKeysMax) continue;
    await gate.invalidate(replaced);
    replaced = [];
  }
  await gate.invalidate(replaced);
}
