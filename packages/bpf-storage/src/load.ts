/**
 * The parts of a bulk load beside sorting: what the caller gives, what it is told, and how its entries are read.
 */
import { ExopoolError } from '@exopool/shared';
import type { Entry } from './cursor.js';
import type { ExternalSort } from './external-sort.js';
import { copyKey, copyValue, type Bytes, type RowKey } from './row-key.js';
import type { TierGate } from './tier-gate.js';

/** What a load takes: entries in any order, keys repeated or not. */
export type LoadEntries<Key = Bytes, Value = Bytes> =
  AsyncIterable<readonly [key: Key, value: Value]> | Iterable<readonly [key: Key, value: Value]>;

export interface LoadProgress {
  /** `read`: taking entries and sorting them. `merge`: writing the new table. */
  readonly phase: 'read' | 'merge';
  /** Entries taken, or written, so far. */
  readonly entries: number;
  /** Bytes of keys and values taken, or of the table written, so far. */
  readonly bytes: number;
}

export interface LoadOptions {
  /** Called at most {@link progressPerSecondMax} times a second, and at the end of each phase. What it throws ends the load. */
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

export const progressPerSecondMax = 10;
/** Keys deleted from the cache tier in one call. */
const purgeKeysMax = 1024;
/** Below this a load would make thousands of tiny runs. */
export const runBytesMin = 1024 * 1024;

/** Passes progress on, not too often. */
export class ProgressMeter {
  #reportedAtMs = -Infinity;

  constructor(
    private readonly onProgress: LoadOptions['onProgress'],
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  report(phase: LoadProgress['phase'], entries: number, bytes: number, isLast = false): void {
    if (this.onProgress === undefined) return;
    const now = this.nowMs();
    if (!isLast && now - this.#reportedAtMs < 1000 / progressPerSecondMax) return;
    this.#reportedAtMs = now;
    this.onProgress({ phase, entries, bytes });
  }
}

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
  let bytes = 0;
  mayGoOn();
  for await (const pair of entries as AsyncIterable<unknown>) {
    mayGoOn();
    if (!Array.isArray(pair))
      throw new ExopoolError('EXOPOOL_INVALID', 'an entry to load is a pair [key, value]');
    const key = copyKey(pair[0]);
    const value = copyValue(pair[1]);
    if (!sorter.add(key, value)) await sorter.spill();
    count += 1;
    bytes += key.length + value.length;
    meter.report('read', count, bytes);
  }
  meter.report('read', count, bytes, true);
  return count;
}

/**
 * What happens beside the merge of a load: progress, and the deletion from the cache tier of keys that are replaced.
 * The tier must be paused until the new table is in place, or a read would put an old value back.
 */
export class LoadMerge {
  #entries = 0;
  #bytes = 0;
  #replaced: RowKey[] = [];

  constructor(
    private readonly gate: TierGate,
    private readonly meter: ProgressMeter,
  ) {}

  onEntry({ key }: Entry, bytesWritten: number): Promise<void> | undefined {
    this.#entries += 1;
    this.#bytes = bytesWritten;
    this.meter.report('merge', this.#entries, this.#bytes);
    if (!this.gate.mayNeedDeletion(key)) return undefined;
    this.#replaced.push({ bytes: key, text: key.toString('latin1') });
    return this.#replaced.length < purgeKeysMax ? undefined : this.#purge();
  }

  async beforeSwitch(): Promise<void> {
    await this.#purge();
    this.meter.report('merge', this.#entries, this.#bytes, true);
  }

  async #purge(): Promise<void> {
    const keys = this.#replaced;
    this.#replaced = [];
    await this.gate.invalidate(keys);
  }
}
