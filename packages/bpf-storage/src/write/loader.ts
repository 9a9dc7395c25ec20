/**
 * A bulk load from its first entry to its place among the tables: gather and sort, make one table, add it as the newest.
 *
 * While the table is made the cache tier is passed by, as its old values of loaded keys are being deleted; when the
 * table takes its place the row cache forgets everything. So no read finds an old value after the load, and none a new
 * one before it.
 */
import { throwIfAborted } from '../base/abort.js';
import { ExternalSort, runBytesDefault } from './external-sort.js';
import type { Flusher } from './flusher.js';
import { ProgressMeter } from '../base/progress-meter.js';
import { gatherEntries, purgeLoaded, runBytesMin } from './load.js';
import type { LoadEntries, LoadOptions, LoadResult } from './load.js';
import type { OpenTable } from '../tables/open-table.js';
import { integer } from '../base/integer.js';
import type { TableSet } from '../tables/table-set.js';
import type { TierGate } from '../read/tier-gate.js';

/** The parts of a store that a load needs. */
export interface LoaderParts {
  /** The folder of the store. */
  readonly folder: string;
  readonly tables: TableSet;
  readonly flusher: Flusher;
  readonly gate: TierGate;
  /** Throws if the store does not take writes. */
  requireWritable(): void;
  /** Called in the turn in which any key may have changed. */
  writtenAll(): void;
}

/** Loads: sorts the entries, purges the cache tier, puts the table in its place. */
export class Loader {
  #loads = 0;

  constructor(private readonly parts: LoaderParts) {}

  /** Loads that succeeded. */
  get loads(): number {
    return this.#loads;
  }

  /** See `Store.load`. */
  async load(entries: LoadEntries, options: LoadOptions): Promise<LoadResult> {
    const { signal } = options;
    const startMs = performance.now();
    const bytesOfRun = options.runBytes ?? runBytesDefault;
    const runBytes = integer('runBytes', bytesOfRun, runBytesMin, Number.MAX_SAFE_INTEGER);
    const name = `${process.hrtime.bigint()}`;
    const sorter = new ExternalSort({ folder: this.parts.folder, name, runBytes, signal });
    const meter = new ProgressMeter(options.onProgress?.bind(options));
    try {
      const loaded = await gatherEntries(entries, sorter, meter, () => {
        this.parts.requireWritable();
        throwIfAborted(signal);
      });
      const table = await this.#place(sorter, meter, signal);
      this.#loads += 1;
      const { entries: count, bytes } = table?.entry ?? { entries: 0, bytes: 0 };
      const seconds = (performance.now() - startMs) / 1000;
      return { loaded, entries: count, bytes, runs: sorter.runs, seconds };
    } finally {
      await sorter.close();
    }
  }

  async #place(
    sorter: ExternalSort,
    meter: ProgressMeter,
    signal: AbortSignal | undefined,
  ): Promise<OpenTable | undefined> {
    const { tables, flusher, gate } = this.parts;
    this.parts.requireWritable();
    await gate.pause();
    try {
      const mayGoOn = (): void => {
        this.parts.requireWritable();
        throwIfAborted(signal);
      };
      let added: OpenTable | undefined;
      const make = async (): Promise<OpenTable | undefined> => {
        const { sources, readBytes } = await sorter.sources();
        const onProgress = (entries: number, bytes: number): void => meter.report('merge', entries, bytes);
        added = await tables.make(sources, { signal, readBytes, onProgress });
        return added;
      };
      const beforeSwitch = async (): Promise<void> => {
        if (added !== undefined) await purgeLoaded(added.file, gate, mayGoOn);
        meter.report('merge', added?.entry.entries ?? 0, added?.entry.bytes ?? 0, true);
        throwIfAborted(signal);
      };
      return await flusher.place(mayGoOn, make, { beforeSwitch, onSwitch: () => this.parts.writtenAll() });
    } finally {
      gate.resume();
    }
  }
}
