/**
 * The parts of a bulk load beside sorting: what the caller gives, what it is told, and how its entries are read.
 */
import { setImmediate } from 'node:timers/promises';
import { scanBatches, type TableFile } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import type { LoadProgress, ProgressMeter } from '../base/progress-meter.js';
import type { ExternalSort } from './external-sort.js';
import type { Bytes, RowKey } from '../format/row-key.js';
import type { TierGate } from '../read/tier-gate.js';

/** What a load takes: entries in any order, keys repeated or not. */
export type LoadEntries<Key = Bytes, Value = Bytes> =
  AsyncIterable<readonly [key: Key, value: Value]> | Iterable<readonly [key: Key, value: Value]>;

export interface LoadOptions {
  /** Called at most 10 times a second, and at the end of each phase. What it throws ends the load. */
  onProgress?(progress: LoadProgress): void;
  /** Stops the load: `EXOPOOL_ABORTED`, and the store is as before. Noticed between two entries. */
  readonly signal?: AbortSignal;
  /** Memory for sorting, bytes. Default 64 MiB; at least 1 MiB. */
  readonly runBytes?: number;
}

export interface LoadResult {
  /** Entries taken. */
  readonly loaded: number;
  /** Entries of the table that was made: what was loaded, each key once. */
  readonly entries: number;
  /** Size of that table's file. */
  readonly bytes: number;
  /** Sorted runs that were spilled to disk; 0 when everything fitted into `runBytes`. */
  readonly runs: number;
  readonly seconds: number;
}

/** Entries taken before others get their turn: under a millisecond. */
const sliceEntries = 1024;
/** Keys deleted from the cache tier in one call, or a few more. */
const purgeKeysMax = 1024;
/** Below this a load would make thousands of tiny runs. */
export const runBytesMin = 1024 * 1024;

/**
 * Feeds the caller's entries to `sorter`.
 * @param mayGoOn called before each entry; throws to stop.
 * @returns how many.
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
      throw new ExopoolError('EXOPOOL_INVALID', 'an entry to load is a pair [key, value]');
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
 * Deletes from the cache tier what it may have of the keys of `table`, which are about to be replaced. The tier must be
 * paused until the table is in its place, or a read would put an old value back.
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
