/**
 * The tables of an open store, and how they are replaced: for now one table at most.
 *
 *   1 write the new table, fsync, rename          a failure up to here, or in 2, leaves everything as it was
 *   2 switch MANIFEST                             from here on the new table is the one that counts
 *   3 put it in place for readers                 in one turn; who still reads the old one keeps it open
 *   4 fsync the folder, then remove the old files a failure here is reported, but the switch has happened
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { throwIfAborted } from './abort.js';
import { ascending, BatchCursor, MergeCursor, type Cursor } from './cursor.js';
import type { EngineName } from './engine.js';
import { emptyManifest, switchManifest, tableName, type Manifest, type ManifestTable } from './manifest.js';
import {
  addLookups,
  noLookups,
  OpenTable,
  tableIdText,
  type LookupsByEngine,
  type OpenTableOptions,
} from './open-table.js';
import { removeLogs } from './logs.js';
import { syncFolder } from './sync-folder.js';
import { scanTable, type KeyRange } from './table-scan.js';
import { randomTableId, type TableSummary } from './table-writer.js';
import { writeTable } from './write-table.js';

/** Keys of one call into an engine: all of its results, of up to 16 MiB each, are in memory together. */
const lookupKeysMax = 1024;

export interface ReplaceHooks {
  readonly signal?: AbortSignal | undefined;
  /** The first log whose writes are not in the new table. */
  readonly log: number;
  /** Called for each entry before it is written, tombstones included; a promise is waited for. */
  onEntry?(merged: MergeCursor, bytesWritten: number): Promise<void> | undefined;
  /** The new table is complete; a failure here still leaves everything as it was. */
  beforeSwitch?(): Promise<void> | undefined;
  /** Called in the same turn in which the new table takes its place. */
  onSwitch(): void;
}

export class TableSet {
  #closedLookups = noLookups();
  #table: OpenTable | undefined;

  #manifest = emptyManifest;

  constructor(private readonly options: Omit<OpenTableOptions, 'onClose'>) {}

  get table(): OpenTable | undefined {
    return this.#table;
  }

  lookups(): LookupsByEngine {
    return this.#table === undefined
      ? this.#closedLookups
      : addLookups(this.#closedLookups, this.#table.lookups());
  }

  /** The number of the first log that counts. */
  get log(): number {
    return this.#manifest.log;
  }

  /** Opens what `manifest` names. @throws ExopoolError `EXOPOOL_NOT_FOUND`, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`. */
  open(manifest: Manifest): void {
    this.close();
    this.#manifest = manifest;
    const entry = manifest.tables[0];
    this.#table = entry === undefined ? undefined : this.#openTable(entry);
  }

  /** A cursor for each table, the newest first. They must be used up while the tables are retained. */
  cursors(range: KeyRange, signal: AbortSignal | undefined): Cursor[] {
    return this.#table === undefined ? [] : [new BatchCursor(scanTable(this.#table.file, range, signal))];
  }

  /** The values of `keys`, in order. @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_IO`, `EXOPOOL_CLOSED`. */
  async lookUp(keys: readonly Buffer[], engine: EngineName): Promise<(Buffer | undefined)[]> {
    const table = this.#table?.retain();
    if (table === undefined) return keys.map(() => undefined);
    try {
      const values: (Buffer | undefined)[] = [];
      for (let at = 0; at < keys.length; at += lookupKeysMax) {
        const some = keys.slice(at, at + lookupKeysMax);
        const found = await table.file.lookupMany(some, table.engines.choose(engine, some.length));
        values.push(...found.map((value) => value ?? undefined));
      }
      return values;
    } finally {
      table.release();
    }
  }

  /**
   * Merges `newest` over what is there into a new table, the store's only one.
   * @throws ExopoolError; unless `onSwitch` was called, nothing has changed.
   */
  async replace(newest: readonly Cursor[], hooks: ReplaceHooks): Promise<TableSummary> {
    const { folder } = this.options;
    const { signal } = hooks;
    const merged = await MergeCursor.open([...newest, ...this.cursors({}, signal)], ascending);
    const tableId = randomTableId();
    const name = tableName(this.#manifest.next);
    const summary = await writeTable({ folder, name, tableId, createdMs: Date.now() }, merged, {
      signal,
      dropTombstones: true,
      onEntry: (_, bytesWritten) => hooks.onEntry?.(merged, bytesWritten),
    });
    const entry = { file: name, id: tableIdText(tableId), entries: summary.entries, bytes: summary.bytes };
    const manifest = { next: this.#manifest.next + 1, log: hooks.log, tables: [entry] };
    let table: OpenTable | undefined;
    try {
      table = this.#openTable(entry);
      await hooks.beforeSwitch?.();
      throwIfAborted(signal);
      await switchManifest(folder, manifest);
    } catch (error) {
      table?.close();
      await rm(summary.path, { force: true });
      throw error;
    }
    const old = this.#table;
    this.#manifest = manifest;
    this.#table = table;
    hooks.onSwitch();
    old?.release();
    await syncFolder(folder);
    await removeLogs(folder, hooks.log);
    if (old !== undefined) await this.#remove(old.path);
    return summary;
  }

  close(): void {
    this.#table?.close();
    this.#table = undefined;
  }

  #openTable(entry: ManifestTable): OpenTable {
    const onClose = (lookups: LookupsByEngine): void => {
      this.#closedLookups = addLookups(this.#closedLookups, lookups);
    };
    try {
      return OpenTable.open(entry, { ...this.options, onClose });
    } catch (error) {
      if (!(error instanceof ExopoolError) || error.code !== 'EXOPOOL_NOT_FOUND') throw error;
      const path = join(this.options.folder, entry.file);
      const message = `${path} is missing though MANIFEST names it; restore it from a copy of the store`;
      throw new ExopoolError('EXOPOOL_NOT_FOUND', message, { cause: error });
    }
  }

  async #remove(path: string): Promise<void> {
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw toExopoolError(error, `cannot remove the replaced table ${path}`);
    }
  }
}
