/**
 * Merges tables in the background, as {@link chooseRun} decides, one run at a time.
 *
 * A native job does the work at low priority. It writes at most `bytesPerSecond`, unless writers are slowed down because
 * compaction is behind; each added table decides the rate again. A failed merge (most often because of a full disk)
 * changes nothing. The next added table, or the next writer that must wait, starts it again.
 */
import type { TableWrite } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { chooseRun } from './compaction-policy.js';
import { ProgressMeter, type LoadProgress } from '../base/progress-meter.js';
import { Mutex } from '../base/mutex.js';
import type { OpenTable } from '../tables/open-table.js';
import { releaseAll, retainAll, type TableSet } from '../tables/table-set.js';
import { compactionRate } from './write-pressure.js';

/** What `Store.compact` takes. */
export interface CompactOptions {
  /**
   * Called at most 10 times a second, and at the end. The phase is `merge`; entries are those merged, each key once.
   * What it throws ends the compaction.
   */
  onProgress?(progress: LoadProgress): void;
  /** Stops the compaction with `EXOPOOL_ABORTED`; the store is as before. */
  readonly signal?: AbortSignal;
}

/** Counters of compaction. */
export interface CompactionCounts {
  /** Merges that succeeded, and merges that failed. */
  readonly compactions: number;
  readonly compactionsFailed: number;
  /** Bytes of the tables that merges wrote. */
  readonly compactedBytes: number;
}

/** Compaction of one store. */
export class Compactor {
  readonly #turns = new Mutex();
  readonly #abort = new AbortController();
  /** The background work in progress, and its present job. */
  #working: Promise<void> | undefined;
  #job: TableWrite | undefined;
  readonly #onProgress: (() => void)[] = [];
  readonly #counts = { compactions: 0, compactionsFailed: 0, compactedBytes: 0 };

  constructor(
    private readonly tables: TableSet,
    private readonly bytesPerSecond: number,
  ) {}

  get counts(): CompactionCounts {
    return { ...this.#counts };
  }

  /** Merges until there is nothing more to merge. @throws ExopoolError if a merge fails. */
  work(): Promise<void> {
    this.#job?.setRate(this.#rate);
    this.#working ??= this.#turns
      .run(() => this.#mergeRuns())
      .finally(() => {
        this.#working = undefined;
      });
    return this.#working;
  }

  /** Resolves after the next merge, or if there is nothing to merge. @throws ExopoolError if a merge fails. */
  progress(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onProgress.push(resolve);
      this.work().then(resolve, reject);
    });
  }

  /** Merges all present tables into one. @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_NO_SPACE`, … */
  async mergeAll(options: CompactOptions = {}): Promise<void> {
    const signals = options.signal === undefined ? [] : [options.signal];
    const meter = new ProgressMeter(options.onProgress?.bind(options));
    await this.#turns.run(async () => {
      const { tables } = this.tables;
      if (tables.length > 1)
        await this.#merge(tables, AbortSignal.any([this.#abort.signal, ...signals]), meter);
    });
  }

  /** Stops compaction. Resolves when no merge is in progress. */
  async close(): Promise<void> {
    this.#abort.abort(new ExopoolError('EXOPOOL_CLOSED', 'the store is being closed'));
    await this.#turns.run(() => Promise.resolve());
  }

  async #mergeRuns(): Promise<void> {
    for (;;) {
      const { tables } = this.tables;
      const run = chooseRun(tables.map(({ entry }) => entry.bytes));
      if (run === undefined || this.#abort.signal.aborted) return;
      await this.#merge(tables.slice(run.first, run.end), this.#abort.signal);
    }
  }

  /** @param meter given if a caller waits for the merge; then it runs at full speed. */
  async #merge(run: readonly OpenTable[], signal: AbortSignal, meter?: ProgressMeter): Promise<void> {
    const isAsked = meter !== undefined;
    retainAll(run);
    try {
      const sources = { tables: run.map(({ file }) => file) };
      const added = await this.tables.make(sources, {
        signal,
        // Only compaction touches the older tables, so the oldest one stays the oldest.
        dropTombstones: run.at(-1) === this.tables.tables.at(-1),
        background: !isAsked,
        bytesPerSecond: isAsked ? Infinity : this.#rate,
        onStart: (job) => {
          if (!isAsked) this.#job = job;
        },
        ...(meter && { onProgress: (entries, bytes) => meter.report('merge', entries, bytes) }),
      });
      const beforeSwitch = (): undefined => {
        meter?.report('merge', added?.entry.entries ?? 0, added?.entry.bytes ?? 0, true);
      };
      await this.tables.change({ added, removed: run, beforeSwitch });
      this.#counts.compactions += 1;
      this.#counts.compactedBytes += added?.entry.bytes ?? 0;
    } catch (error) {
      if (!signal.aborted) this.#counts.compactionsFailed += 1;
      throw error;
    } finally {
      this.#job = undefined;
      releaseAll(run);
    }
    await this.tables.settled();
    for (const resolve of this.#onProgress.splice(0)) resolve();
  }

  get #rate(): number {
    return compactionRate(this.tables.tables.length, this.bytesPerSecond);
  }
}
