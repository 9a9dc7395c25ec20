/**
 * Sorts any number of entries in bounded memory.
 *
 * Entries are gathered in native memory until they fill half of `runBytes`. Then they are sorted and spilled as a *run*, a
 * scratch table, by a thread of its own, while the other half fills. At the end all runs and what is still in memory
 * are merged in one pass. Of equal keys the last one added wins: within a run, and as the younger run is the newer
 * source between runs.
 *
 * Each run being merged needs memory for its reads, so `fanInMax` runs of one size are merged into one larger run
 * first. Levels grow like the digits of a counter, which keeps younger runs at lower levels:
 *
 *   level 0   r r r ... (256)  ->  one run of level 1
 */
import { rm } from 'node:fs/promises';
import { SortedRun, TableFile, type ScanSources } from '@exopool/native/internal';
import { EntryEncoder } from '../log/entry-encoder.js';
import type { Bytes } from '../format/row-key.js';
import { randomFileId } from '../base/temporary-file.js';
import { writeTable, type WriteTableHooks } from '../tables/write-table.js';

/** Memory gathered before a run is spilled, unless the caller says otherwise. */
export const runBytesDefault = 64 * 1024 * 1024;
/** Runs of one level merged at once. */
const fanInMax = 256;
/** Bytes of one read of a run: below the least a disk has little but seeks to do. */
const readBytesMin = 16 * 1024;
const readBytesMax = 256 * 1024;

/** Whether a scratch file is called so, after the prefix of unfinished work. */
export function isRunName(name: string): boolean {
  return /^run-[0-9-]+$/.test(name);
}

export interface ExternalSortOptions {
  readonly folder: string;
  /** Tells this sort's scratch files from those of others in the folder. */
  readonly name: string;
  readonly runBytes: number;
  readonly signal?: AbortSignal | undefined;
}

export class ExternalSort {
  /** The oldest run of each level first. */
  readonly #levels: TableFile[][] = [];
  #gathered = new SortedRun();
  readonly #encoder: EntryEncoder;
  /** The run on its way to the disk. */
  #spilling: Promise<void> = Promise.resolve();
  #runsMade = 0;

  constructor(private readonly options: ExternalSortOptions) {
    this.#encoder = new EntryEncoder(options.runBytes, (batch) => this.#gathered.add(batch));
  }

  /** Runs spilled to disk so far, those of merging included. */
  get runs(): number {
    return this.#runsMade;
  }

  /** Bytes of keys and values added. */
  get bytes(): number {
    return this.#encoder.bytes;
  }

  /** Copies both. @returns false when `spill()` must be awaited before the next call. */
  add(key: Bytes, value: Bytes): boolean {
    this.#encoder.add(key, value);
    return this.#gathered.bytes < this.options.runBytes / 2;
  }

  /** Begins to write what was gathered as a run. @throws ExopoolError of the run before: `EXOPOOL_NO_SPACE`, … */
  async spill(): Promise<void> {
    this.#encoder.flush();
    await this.#spilling;
    const full = this.#gathered;
    this.#gathered = new SortedRun();
    this.#spilling = this.#spill(full);
    this.#spilling.catch(() => undefined);
  }

  /** Everything added, to be merged. @throws ExopoolError of the last run. */
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
      // Through the page cache: what is removed soon need not reach the disk.
      return TableFile.open(path, { direct: false, cacheInterior: false });
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  /** All reads together take no more than half of the memory, if the disk can do with that. */
  #readBytes(runs: readonly TableFile[]): number {
    const share = this.options.runBytes / 2 / Math.max(1, runs.length);
    return Math.min(readBytesMax, Math.max(readBytesMin, share));
  }
}

async function removeRun(run: TableFile): Promise<void> {
  run.close();
  await rm(run.path, { force: true }).catch(() => undefined);
}
