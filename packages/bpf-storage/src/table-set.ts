/**
 * The tables of an open store, and how they are replaced: for now one table at most.
 *
 *   1 write the new table, fsync, rename          a failure up to here, or in 2, leaves everything as it was
 *   2 switch MANIFEST                             from here on the new table is the one that counts
 *   3 put it in place for readers                 in one turn; who still reads the old one keeps it open
 *   4 fsync the folder, then remove the old file  a failure here is reported, but the switch has happened
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { throwIfAborted } from './abort.js';
import type { Cursor } from './cursor.js';
import type { EngineName } from './engine.js';
import { readManifest, switchManifest, tableName, type Manifest } from './manifest.js';
import {
  addLookups,
  noLookups,
  OpenTable,
  tableIdText,
  type LookupsByEngine,
  type OpenTableOptions,
} from './open-table.js';
import { syncFolder } from './sync-folder.js';
import { randomTableId, type TableSummary } from './table-writer.js';
import { writeTable, type WriteTableHooks } from './write-table.js';

/** A reader that loses the race against a writer replacing tables looks again, at most this often. */
const openAttemptsMax = 10;
/** Keys of one call into an engine: all of its results, of up to 16 MiB each, are in memory together. */
const lookupKeysMax = 1024;

export interface ReplaceHooks extends WriteTableHooks {
  /** The new table is complete; a failure here still leaves everything as it was. */
  beforeSwitch?(): Promise<void> | undefined;
  /** Called in the same turn in which the new table takes its place. */
  onSwitch(): void;
}

export class TableSet {
  #closedLookups = noLookups();
  #table: OpenTable | undefined;

  constructor(
    private readonly options: Omit<OpenTableOptions, 'onClose'>,
    private manifest: Manifest,
  ) {}

  get current(): OpenTable | undefined {
    return this.#table;
  }

  lookups(): LookupsByEngine {
    return this.#table === undefined
      ? this.#closedLookups
      : addLookups(this.#closedLookups, this.#table.lookups());
  }

  /** Opens what the manifest names. @throws ExopoolError `EXOPOOL_NOT_FOUND`, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`. */
  async open(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const entry = this.manifest.tables[0];
        this.#table = entry === undefined ? undefined : this.#openTable(entry);
        return;
      } catch (error) {
        const latest = await readManifest(this.options.folder);
        const isReplaced = latest !== undefined && latest.next !== this.manifest.next;
        if (!isReplaced || attempt === openAttemptsMax) throw this.#missing(error);
        this.manifest = latest;
      }
    }
  }

  /** The values of `keys`, in order. @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_IO`, `EXOPOOL_CLOSED`. */
  async lookUp(keys: readonly Buffer[], engine: EngineName): Promise<(Buffer | undefined)[]> {
    const table = this.#table?.retain();
    if (table === undefined) return keys.map(() => undefined);
    try {
      const values: (Buffer | undefined)[] = [];
      for (let at = 0; at < keys.length; at += lookupKeysMax) {
        const some = keys.slice(at, at + lookupKeysMax);
        values.push(...(await table.file.lookupMany(some, table.engines.choose(engine))));
      }
      return values;
    } finally {
      table.release();
    }
  }

  /** The value of `key`. Calls of one turn cross into the engine together. Errors as {@link lookUp}. */
  async lookUpOne(key: Buffer, engine: EngineName): Promise<Buffer | undefined> {
    const table = this.#table?.retain();
    if (table === undefined) return undefined;
    try {
      return await table.file.lookup(key, table.engines.choose(engine));
    } finally {
      table.release();
    }
  }

  /**
   * Makes everything that `cursor` gives the store's only table.
   * @throws ExopoolError; unless `onSwitch` was called, nothing has changed.
   */
  async replace(cursor: Cursor, hooks: ReplaceHooks): Promise<TableSummary> {
    const { folder } = this.options;
    const tableId = randomTableId();
    const name = tableName(this.manifest.next);
    const summary = await writeTable({ folder, name, tableId, createdMs: Date.now() }, cursor, hooks);
    const entry = { file: name, id: tableIdText(tableId), entries: summary.entries, bytes: summary.bytes };
    const manifest = { next: this.manifest.next + 1, tables: [entry] };
    let table: OpenTable | undefined;
    try {
      table = this.#openTable(entry);
      await hooks.beforeSwitch?.();
      throwIfAborted(hooks.signal);
      await switchManifest(folder, manifest);
    } catch (error) {
      table?.close();
      await rm(summary.path, { force: true });
      throw error;
    }
    const old = this.#table;
    this.manifest = manifest;
    this.#table = table;
    hooks.onSwitch();
    old?.release();
    await syncFolder(folder);
    if (old !== undefined) await this.#remove(old.path);
    return summary;
  }

  close(): void {
    this.#table?.close();
    this.#table = undefined;
  }

  #openTable(entry: Manifest['tables'][number]): OpenTable {
    const onClose = (lookups: LookupsByEngine): void => {
      this.#closedLookups = addLookups(this.#closedLookups, lookups);
    };
    return OpenTable.open(entry, { ...this.options, onClose });
  }

  #missing(error: unknown): unknown {
    if (!(error instanceof ExopoolError) || error.code !== 'EXOPOOL_NOT_FOUND') return error;
    const path = join(this.options.folder, this.manifest.tables[0]?.file ?? '');
    const message = `${path} is missing though MANIFEST names it; restore it from a copy of the store`;
    return new ExopoolError('EXOPOOL_NOT_FOUND', message, { cause: error });
  }

  async #remove(path: string): Promise<void> {
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw toExopoolError(error, `cannot remove the replaced table ${path}`);
    }
  }
}
