/**
 * Sorts any number of entries in bounded memory.
 *
 * Entries are gathered until they fill `runBytes`, sorted, and spilled as a *run*: a scratch table. At the end all
 * runs and what is still in memory are merged in one pass by `MergeCursor`. Of equal keys the last one added wins:
 * within a run because the sort is stable, between runs because the younger run is the newer source.
 *
 * Each run being merged needs buffers to read ahead, so `fanInMax` runs of one size are merged into one larger run
 * first. Levels grow like the digits of a counter, which keeps younger runs at lower levels:
 *
 *   level 0   r r r ... (64)  ->  one run of level 1        memory: runBytes + fanInMax × levels × 400 KiB
 */
import { rm } from 'node:fs/promises';
import { TableFile } from '@exopool/native';
import { ascending, BatchCursor, MemoryCursor, MergeCursor, type Cursor } from './cursor.js';
import { sharedPrefix } from './page-builder.js';
import { scanTable } from './table-scan.js';
import { randomTableId } from './table-writer.js';
import { writeTable } from './write-table.js';

/** Memory gathered before a run is spilled, unless the caller says otherwise. */
export const runBytesDefault = 64 * 1024 * 1024;
/** Memory of one gathered entry beside its bytes, measured: two Buffer objects, the pair, its slot in the array. */
const entryOverheadBytes = 280;
/** Runs of one level merged at once: 64 × two reads of 128 KiB are 16 MiB of buffers. */
const fanInMax = 64;

export interface ExternalSortOptions {
  readonly folder: string;
  /** Tells this sort's scratch files from those of others in the folder. */
  readonly name: string;
  readonly runBytes: number;
  readonly signal?: AbortSignal | undefined;
}

interface Pair {
  readonly key: Buffer;
  readonly value: Buffer;
  /** The key's bytes after the prefix that all keys of the run share, as a number: see `sortPairs`. */
  head: number;
}

export class ExternalSort {
  /** The oldest run of each level first. */
  readonly #levels: TableFile[][] = [];
  #gathered: Pair[] = [];
  #gatheredBytes = 0;
  #runsMade = 0;

  constructor(private readonly options: ExternalSortOptions) {}

  /** Runs spilled to disk so far, those of merging included. */
  get runs(): number {
    return this.#runsMade;
  }

  /** Keeps both buffers. @returns false when `spill()` must be awaited before the next call. */
  add(key: Buffer, value: Buffer): boolean {
    this.#gathered.push({ key, value, head: 0 });
    this.#gatheredBytes += key.length + value.length + entryOverheadBytes;
    return this.#gatheredBytes < this.options.runBytes;
  }

  /** Writes what was gathered as a run. @throws ExopoolError `EXOPOOL_NO_SPACE`, `EXOPOOL_ABORTED`, … */
  async spill(): Promise<void> {
    const run = await this.#writeRun(new MemoryCursor(this.#takeGathered()));
    await this.#addRun(run, 0);
  }

  /** Everything added, the newest source first; each source sorted, without repeated keys. */
  cursors(): Cursor[] {
    const runs = this.#levels.flatMap((level) => level.toReversed());
    return [new MemoryCursor(this.#takeGathered()), ...runs.map((run) => this.#cursorOf(run))];
  }

  /** Removes the scratch files. Never throws. */
  async close(): Promise<void> {
    await Promise.all(this.#levels.flat().map(removeRun));
    this.#levels.length = 0;
    this.#gathered = [];
  }

  #takeGathered(): Pair[] {
    const pairs = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    sortPairs(pairs);
    return pairs.filter((pair, index) => pairs[index + 1]?.key.equals(pair.key) !== true);
  }

  async #addRun(run: TableFile, level: number): Promise<void> {
    const runs = (this.#levels[level] ??= []);
    runs.push(run);
    if (runs.length < fanInMax) return;
    const cursors = runs.toReversed().map((member) => this.#cursorOf(member));
    const merged = await this.#writeRun(await MergeCursor.open(cursors, ascending));
    this.#levels[level] = [];
    await Promise.all(runs.map(removeRun));
    await this.#addRun(merged, level + 1);
  }

  async #writeRun(cursor: Cursor): Promise<TableFile> {
    this.#runsMade += 1;
    const { folder, name, signal } = this.options;
    const run = {
      folder,
      name: `run-${name}-${this.#runsMade}`,
      tableId: randomTableId(),
      createdMs: 0,
      scratch: true,
    };
    const { path } = await writeTable(run, cursor, { signal });
    return TableFile.open(path, { direct: false });
  }

  #cursorOf(run: TableFile): Cursor {
    return new BatchCursor(scanTable(run, {}, this.options.signal));
  }
}

/** Bytes of a head: what a number holds exactly. */
const headBytes = 6;

/**
 * Stable sort by key. Comparing buffers is a call into C++ each time; the first bytes that differ between the keys of
 * the run, as a number, decide nearly every comparison; sorting 300,000 keys so took half the time.
 */
function sortPairs(pairs: Pair[]): void {
  const first = pairs[0]?.key;
  if (first === undefined) return;
  let prefix = first.length;
  for (const { key } of pairs) prefix = Math.min(prefix, sharedPrefix(first, key));
  for (const pair of pairs) {
    const length = Math.min(headBytes, pair.key.length - prefix);
    pair.head = length === 0 ? 0 : pair.key.readUIntBE(prefix, length) * 256 ** (headBytes - length);
  }
  pairs.sort((a, b) => a.head - b.head || Buffer.compare(a.key, b.key));
}

async function removeRun(run: TableFile): Promise<void> {
  run.close();
  await rm(run.path, { force: true }).catch(() => undefined);
}
