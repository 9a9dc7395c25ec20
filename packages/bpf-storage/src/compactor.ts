/**
 * Merges tables in the background, as {@link chooseRun} decides, one run at a time.
 *
 * It shares a thread with everything else: after each slice it lets others run, and it writes no faster than
 * `bytesPerSecond`, unless writers are held back for its sake. A run that fails (a full disk, most often) leaves
 * everything as it was; the next table that is added, or that has to wait for it, makes it try again.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { ExopoolError } from '@exopool/shared';
import { chooseRun } from './compaction-policy.js';
import { ascending, MergeCursor } from './cursor.js';
import { ProgressMeter, type LoadOptions } from './load.js';
import { Mutex } from './mutex.js';
import type { OpenTable } from './open-table.js';
import { Pacer } from './pacer.js';
import { cursorsOf, releaseAll, retainAll, type TableSet } from './table-set.js';
import { slowTables } from './write-pressure.js';
import { sliceBytes, type WriteTableHooks } from './write-table.js';

/** Told how far it is: the phase is `merge`, and entries are those read, of which the new table may have fewer. */
export type CompactOptions = Pick<LoadOptions, 'signal' | 'onProgress'>;

export interface CompactionCounts {
  /** Runs merged, and runs that failed. */
  readonly compactions: number;
  readonly compactionsFailed: number;
  /** Bytes of tables that were written by merging. */
  readonly compactedBytes: number;
}

export class Compactor {
  readonly #turns = new Mutex();
  readonly #pacer = new Pacer();
  readonly #abort = new AbortController();
  /** The background work under way. */
  #working: Promise<void> | undefined;
  readonly #onProgress: (() => void)[] = [];
  readonly #counts = { compactions: 0, compactionsFailed: 0, compactedBytes: 0 };

  constructor(
    private readonly tables: TableSet,
    private readonly bytesPerSecond: number,
  ) {}

  get counts(): CompactionCounts {
    return { ...this.#counts };
  }

  /** Looks whether there is something to merge, and merges it. @throws ExopoolError when a merge fails. */
  work(): Promise<void> {
    this.#working ??= this.#turns
      .run(() => this.#mergeRuns())
      .finally(() => {
        this.#working = undefined;
      });
    return this.#working;
  }

  /** Resolves after the next run, or when there is nothing to merge. @throws ExopoolError when a merge fails. */
  progress(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onProgress.push(resolve);
      this.work().then(resolve, reject);
    });
  }

  /** Merges all the tables of now into one. @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_NO_SPACE`, … */
  async mergeAll({ signal, onProgress }: CompactOptions = {}): Promise<void> {
    const signals = signal === undefined ? [] : [signal];
    const meter = new ProgressMeter(onProgress);
    await this.#turns.run(async () => {
      const { tables } = this.tables;
      if (tables.length > 1)
        await this.#merge(tables, AbortSignal.any([this.#abort.signal, ...signals]), true, meter);
    });
  }

  /** Stops; resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#abort.abort(new ExopoolError('EXOPOOL_CLOSED', 'the store is being closed'));
    await this.#turns.run(() => Promise.resolve());
  }

  async #mergeRuns(): Promise<void> {
    for (;;) {
      const { tables } = this.tables;
      const run = chooseRun(tables.map(({ entry }) => entry.bytes));
      if (run === undefined || this.#abort.signal.aborted) return;
      await this.#merge(tables.slice(run.first, run.end), this.#abort.signal, false);
    }
  }

  async #merge(
    run: readonly OpenTable[],
    signal: AbortSignal,
    isUrgent: boolean,
    meter?: ProgressMeter,
  ): Promise<void> {
    retainAll(run);
    try {
      const merged = await MergeCursor.open(cursorsOf(run, {}, signal), ascending);
      const added = await this.tables.make(merged, {
        signal,
        // Only compaction touches the older tables, so the oldest one stays the oldest.
        dropTombstones: run.at(-1) === this.tables.tables.at(-1),
        pause: () => this.#pause(isUrgent),
        ...(meter && { onEntry: reporting(meter) }),
      });
      await this.tables.change({ added, removed: run });
      this.#counts.compactions += 1;
      this.#counts.compactedBytes += added?.entry.bytes ?? 0;
    } catch (error) {
      if (!signal.aborted) this.#counts.compactionsFailed += 1;
      throw error;
    } finally {
      releaseAll(run);
    }
    await this.tables.settled();
    for (const resolve of this.#onProgress.splice(0)) resolve();
  }

  async #pause(isUrgent: boolean): Promise<void> {
    const mustHurry = isUrgent || this.tables.tables.length >= slowTables;
    const waitMs = mustHurry ? 0 : this.#pacer.reserve(sliceBytes, this.bytesPerSecond);
    if (waitMs > 0) await setTimeout(waitMs);
    else await setImmediate();
  }
}

function reporting(meter: ProgressMeter): NonNullable<WriteTableHooks['onEntry']> {
  let entries = 0;
  return (_entry, bytes) => {
    entries += 1;
    meter.report('merge', entries, bytes);
    return undefined;
  };
}
