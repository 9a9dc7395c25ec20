/**
 * Sorts any number of entries in bounded memory.
 *
 * Entries are gathered in native memory until they fill half of `runBytes`. Then a thread sorts them and spills them as a
 * *run*, a scratch table, while the other half fills. At the end one pass merges all runs and the entries that are still
 * in memory. Of equal keys the last one added wins, within a run and between runs.
 *
 * Each run needs memory for its reads during a merge. So whenever a level has `fanInMax` runs, they are merged into one
 * larger run. Levels grow like the digits of a counter, which keeps younger runs at lower levels:
 *
 *   level 0   r r r ... (256)  ->  one run of level 1
 */
import { rm } from 'node:fs/promises';
import { SortedRun, TableFile, type ScanSources } from '@exopool/native/internal';
import { EntryEncoder } from '../log/entry-encoder.js';
import type { Bytes } from '../format/row-key.js';
import { randomFileId } from '../base/temporary-file.js';
import { writeTable, type WriteTableHooks } from '../tables/write-table.js';

/** Default memory for sorting. */
export const runBytesDefault = 64 * 1024 * 1024;
/** Runs of one level merged at once. */
const fanInMax = 256;
/** Bytes of one read of a run. With smaller reads a disk would mostly seek. */
const readBytesMin = 16 * 1024;
const readBytesMax = 256 * 1024;

/** Whether `name`, without the prefix of unfinished work, is that of a run. */
export function isRunName(name: string): boolean {
  return /^run-[0-9-]+$/.test(name);
}

export interface ExternalSortOptions {
  readonly folder: string;
  /** Distinguishes the scratch files of this sort from others in the folder. */
  readonly name: string;
  readonly runBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** One sort. Add entries, spill when told, take the sources, close. */
export class ExternalSort {
  /** The oldest run of each level first. */
  readonly #levels: TableFile[][] = [];
  #gathered = new SortedRun();
  readonly #encoder: EntryEncoder;
  /** Resolves when the last run is on disk. */
  #spilling: Promise<void> = Promise.resolve();
  #runsMade = 0;

  constructor(private readonly options: ExternalSortOptions) {
    this.#encoder = new EntryEncoder(options.runBytes, (batch) => this.#gathered.add(batch));
  }

  /** Runs spilled to disk so far, including those that merges wrote. */
  get runs(): number {
    return this.#runsMade;
  }

  /** Bytes of keys and values added. */
  get bytes(): number {
    return this.#encoder.bytes;
  }

  /** Copies an entry. @returns false if `spill()` must be awaited before the next call. */
  add(key: Bytes, value: Bytes): boolean {
    this.#encoder.add(key, value);
    return this.#gathered.bytes < this.options.runBytes / 2;
  }

  /** Starts to write the gathered entries as a run. @throws ExopoolError of the previous run: `EXOPOOL_NO_SPACE`, … */
  async spill(): Promise<void> {
    this.#encoder.flush();
    await this.#spilling;
    const full = this.#gathered;
    this.#gathered = new SortedRun();
    this.#spilling = this.#spill(full);
    this.#spilling.catch(() => undefined);
  }

  /** The runs and entries to merge. @throws ExopoolError of the last run. */
  async sources(): Promise<{ readonly sources: ScanSources; readonly readBytes: number }> {
    this.#encoder.flush();
    await this.#spilling;
    const tables = this.#levels.flatMap((level) => level.toReversed());
    return { sources: { runs: [this.#gathered], tables }, readBytes: this.#readBytes(tables) };
  }

  /** Removes the scratch files. Never throws. */
  async close(): Promise<void> {
    await this.#spilling.catch(() => undefined);
    await Promise.all(this.#levels.flat().map(removeRun));
    this.#levels.length = 0;
    this.#gathered.close();
  }

  async #spill(run: SortedRun): Promise<void> {
    try {
      await this.#addRun(await this.#writeRun({ runs: [run] }), 0);
    } finally {
      run.close();
    }
  }

  async #addRun(run: TableFile, level: number): Promise<void> {
    const runs = (this.#levels[level] ??= []);
    runs.push(run);
    if (runs.length < fanInMax) return;
    const readBytes = this.#readBytes(runs);
    const merged = await this.#writeRun({ tables: runs.toReversed() }, { readBytes });
    this.#levels[level] = [];
    await Promise.all(runs.map(removeRun));
    await this.#addRun(merged, level + 1);
  }

  async #writeRun(sources: ScanSources, hooks: WriteTableHooks = {}): Promise<TableFile> {
    this.#runsMade += 1;
    const { folder, name, signal } = this.options;
    const run = { name: `run-${name}-${this.#runsMade}`, tableId: randomFileId(), createdMs: 0 };
    const { path } = await writeTable({ folder, ...run, scratch: true }, sources, { ...hooks, signal });
    try {
      // Through the page cache: a run is removed soon and need not reach the disk.
      return TableFile.open(path, { direct: false, cacheInterior: false });
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  /** All reads together take at most half of the memory, unless that makes them smaller than `readBytesMin`. */
  #readBytes(runs: readonly TableFile[]): number {
    const share = this.options.runBytes / 2 / Math.max(1, runs.length);
    return Math.min(readBytesMax, Math.max(readBytesMin, share));
  }
}

async function removeRun(run: TableFile): Promise<void> {
  run.close();
  await rm(run.path, { force: true }).catch(() => undefined);
}
