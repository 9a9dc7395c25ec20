/**
 * The tables of an open store, the newest first. If two tables have a key, the newer one counts.
 *
 *   flush, load      [new]  t9  t7  t4          a new table is complete and durable before anybody reads it;
 *   compaction       t9  [t7 t4 -> new]  t1     then the list changes in one step
 *
 * How it changes:
 *   1 switch MANIFEST                             a failure up to here changes nothing
 *   2 give the new list to readers                in one turn
 *   3 fsync the folder                            a failure here is reported, but the change is made
 *   4 release the old tables                      the last reader of a table removes its file
 *
 * After a failure of 3 the disk may still have the old MANIFEST, so its tables stay until a later fsync succeeds.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TableEngine } from '@exopool/native';
import { StoreIndex, type ScanSources } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { warmShareAgeMs, type EngineName } from './engine.js';
import { emptyManifest, switchManifest, tableName, type Manifest, type ManifestTable } from './manifest.js';
import { removeLogs } from '../log/logs.js';
import { Mutex } from '../base/mutex.js';
import {
  addLookups,
  noLookups,
  OpenTable,
  tableIdText,
  type LookupsByEngine,
  type OpenTableOptions,
} from './open-table.js';
import { removeTable } from './remove-table.js';
import { syncFolder } from '../base/sync-folder.js';
import { randomFileId } from '../base/temporary-file.js';
import { writeTable, type WriteTableHooks } from './write-table.js';

/** Keys of one call into an engine: all its results, up to 16 MiB each, are in memory at the same time. */
const lookupKeysMax = 1024;
/** How often `auto` chooses its engines again, milliseconds: a little later than a measured share expires. */
export const recheckMs = warmShareAgeMs + 10;

/** A change of the list of tables. */
export interface TableChange {
  /** Takes the place of the removed tables; without any it becomes the newest. */
  readonly added: OpenTable | undefined;
  /** Neighbours, the newest first. */
  readonly removed?: readonly OpenTable[];
  /** The first log that still counts, if a memtable became a table. */
  readonly log?: number;
  /** Called before the switch. If it throws, nothing changes. */
  beforeSwitch?(): Promise<void> | undefined;
  /** Called in the same turn in which the list changes. */
  onSwitch?(): void;
}

/** The tables of one store, and the index that reads them. */
export class TableSet {
  #tables: readonly OpenTable[] = [];
  #manifest = emptyManifest;
  /** Number of the next table. It is ahead of the manifest while tables are being made. */
  #next = emptyManifest.next;
  #closedLookups = noLookups();
  /** Of the tables, as the index has them. */
  #engines: readonly TableEngine[] = [];
  #recheck: NodeJS.Timeout | undefined;
  /** Keys looked up in tables when the engines were last chosen. */
  #lookupsAtCheck = 0;
  readonly #changes = new Mutex();
  /** Tables that are not in the list any more, but perhaps in the MANIFEST on disk. */
  #replaced: OpenTable[] = [];
  /** Removals of files in progress. */
  readonly #removals = new Set<Promise<void>>();

  /** Answers lookups. It always has the present tables and engines. */
  readonly index: StoreIndex;

  /** @param cacheBytes memory of the index. @param engine that reads the tables. */
  constructor(
    private readonly options: Omit<OpenTableOptions, 'onClose'>,
    cacheBytes: number,
    private engine: EngineName,
  ) {
    this.index = new StoreIndex({ cacheBytes });
  }

  /** The newest first. Retain them before the first wait. */
  get tables(): readonly OpenTable[] {
    return this.#tables;
  }

  /**
   * Reads tables by `engine` from now on. `pread` reads later tables that `nvme-bpf` or `driver` cannot read.
   * @throws ExopoolError `EXOPOOL_UNSUPPORTED` if the engine cannot read a present table.
   */
  setEngine(engine: EngineName): void {
    for (const { engines } of this.#tables) engines.prepare(engine);
    this.engine = engine;
    this.#chooseEngines();
    clearInterval(this.#recheck);
    if (engine === 'auto') this.#recheck = setInterval(() => this.#recheckEngines(), recheckMs).unref();
  }

  /** The engine that reads each table, in the order of `tables`. */
  get engines(): readonly TableEngine[] {
    return this.#engines;
  }

  /** The number of the first log that counts. */
  get log(): number {
    return this.#manifest.log;
  }

  lookups(): LookupsByEngine {
    return this.#tables.reduce((sum, table) => addLookups(sum, table.lookups()), this.#closedLookups);
  }

  /** Opens the tables of `manifest`. @throws ExopoolError `EXOPOOL_NOT_FOUND`, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`. */
  async open(manifest: Manifest): Promise<void> {
    this.#closeTables();
    const tables: OpenTable[] = [];
    try {
      for (const entry of manifest.tables) tables.push(this.#openTable(entry));
    } catch (error) {
      for (const table of tables) table.close();
      throw error;
    }
    this.#setTables(tables);
    this.#manifest = manifest;
    this.#next = manifest.next;
    // The newest first: their filters are asked most.
    for (const { file } of tables) await this.index.prepare(file);
  }

  /**
   * Writes the entries of `sources` to a table. Nobody reads it before a `change()` adds it.
   * @returns `undefined` if there was nothing to write.
   * @throws ExopoolError as {@link writeTable}; no file is left behind then.
   */
  async make(sources: ScanSources, hooks: WriteTableHooks): Promise<OpenTable | undefined> {
    const { folder, direct } = this.options;
    const tableId = randomFileId();
    const name = tableName(this.#next);
    this.#next += 1;
    // Direct reads make no use of the page cache.
    const place = { folder, name, tableId, createdMs: Date.now(), keepCached: !direct };
    const summary = await writeTable(place, sources, hooks);
    const { path, entries, bytes, smallestKey, largestKey } = summary;
    try {
      if (smallestKey !== undefined && largestKey !== undefined) {
        const id = tableIdText(tableId);
        const table = this.#openTable({ file: name, id, entries, bytes, smallestKey, largestKey });
        await this.index.prepare(table.file);
        return table;
      }
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    await rm(path, { force: true });
    return undefined;
  }

  /** @throws ExopoolError. Unless `onSwitch` was called, nothing changed and `added` is removed. */
  async change(change: TableChange): Promise<void> {
    await this.#changes.run(() => this.#change(change));
  }

  /** Closes the tables even if they have users. */
  close(): void {
    clearInterval(this.#recheck);
    this.index.close();
    this.#closeTables();
  }

  /** Resolves when obsolete files are removed. The next open removes those for which that failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals);
  }

  async #change(change: TableChange): Promise<void> {
    const { added, removed = [], log = this.#manifest.log } = change;
    const first = removed.length === 0 ? 0 : this.#tables.indexOf(removed[0]!);
    const tables = this.#tables.toSpliced(first, removed.length, ...(added === undefined ? [] : [added]));
    const manifest = { next: this.#next, log, tables: tables.map(({ entry }) => entry) };
    try {
      await change.beforeSwitch?.();
      await switchManifest(this.options.folder, manifest);
    } catch (error) {
      if (added !== undefined) await discardTable(added);
      throw error;
    }
    this.#setTables(tables);
    this.#manifest = manifest;
    change.onSwitch?.();
    this.#replaced.push(...removed);
    await syncFolder(this.options.folder);
    for (const table of this.#replaced) table.markObsolete();
    releaseAll(this.#replaced.splice(0));
    if (change.log !== undefined) await removeLogs(this.options.folder, log);
    await this.settled();
  }

  #setTables(tables: readonly OpenTable[]): void {
    this.#tables = tables;
    this.index.setTables(
      tables.map(({ file, entry: { smallestKey, largestKey } }) => ({ file, smallestKey, largestKey })),
    );
    this.#engines = [];
    this.#chooseEngines();
  }

  /** Tells the index the engines of the tables if they changed. */
  #chooseEngines(): void {
    const engines = this.#tables.map((table) => table.engines.choose(this.engine));
    if (engines.length === this.#engines.length && engines.every((name, at) => name === this.#engines[at]))
      return;
    this.#engines = engines;
    this.index.setEngines(engines);
  }

  /** `auto` follows the page cache. While no table is read, nothing is measured. */
  #recheckEngines(): void {
    const { foundInTable, inNoTable } = this.index.stats();
    const lookups = foundInTable + inNoTable;
    if (lookups === this.#lookupsAtCheck) return;
    this.#lookupsAtCheck = lookups;
    this.#chooseEngines();
  }

  #closeTables(): void {
    const tables = this.#tables;
    this.#setTables([]);
    for (const table of [...tables, ...this.#replaced.splice(0)]) table.close();
  }

  #remove(path: string): void {
    const removal = removeTable(path)
      .catch(() => undefined)
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  #openTable(entry: ManifestTable): OpenTable {
    const onClose = (table: OpenTable, isObsolete: boolean): void => {
      this.#closedLookups = addLookups(this.#closedLookups, table.lookups());
      if (isObsolete) this.#remove(table.path);
    };
    try {
      return OpenTable.open(entry, { ...this.options, onClose });
    } catch (error) {
      if (!(error instanceof ExopoolError) || error.code !== 'EXOPOOL_NOT_FOUND') throw error;
      const path = join(this.options.folder, entry.file);
      const message = `${path} is missing although MANIFEST names it; restore it from a backup of the store`;
      throw new ExopoolError('EXOPOOL_NOT_FOUND', message, { cause: error });
    }
  }
}

/** The values of `keys`, in order, each from the newest table that has the key. The caller retains the tables. */
export async function lookUpIn(
  tables: readonly OpenTable[],
  keys: readonly Buffer[],
  engine: EngineName,
): Promise<(Buffer | undefined)[]> {
  const values = new Array<Buffer | undefined>(keys.length).fill(undefined);
  let unknown = [...keys.keys()];
  for (const table of tables) {
    if (unknown.length === 0) break;
    unknown = await lookUpInTable(table, engine, keys, unknown, values);
  }
  return values;
}

export function retainAll(tables: readonly OpenTable[]): readonly OpenTable[] {
  return tables.map((table) => table.retain());
}

export function releaseAll(tables: readonly OpenTable[]): void {
  for (const table of tables) table.release();
}

/** Removes a table that is in no manifest. */
async function discardTable(table: OpenTable): Promise<void> {
  table.close();
  await rm(table.path, { force: true }).catch(() => undefined);
}

/** Fills in the values that `table` has of the keys at `indexes`. @returns the indexes of the other keys. */
async function lookUpInTable(
  table: OpenTable,
  engine: EngineName,
  keys: readonly Buffer[],
  indexes: readonly number[],
  values: (Buffer | undefined)[],
): Promise<number[]> {
  const unknown: number[] = [];
  const asked: number[] = [];
  for (const index of indexes) (table.mayHold(keys[index]!) ? asked : unknown).push(index);
  for (let at = 0; at < asked.length; at += lookupKeysMax) {
    const some = asked.slice(at, at + lookupKeysMax);
    const wanted = some.map((index) => keys[index]!);
    const found = await table.file.lookupMany(wanted, table.engines.choose(engine));
    for (const [position, index] of some.entries()) {
      const value = found[position];
      if (value === undefined) unknown.push(index);
      else values[index] = value ?? undefined;
    }
  }
  return unknown;
}
