/**
 * The store: an ordered map on disk, made of a log, a memtable and one table, with caches in front.
 *
 *   writes  ->  log  ->  memtable  --flush-->  new table = memtable merged over the old table, switched in one step
 *   loads   ->  external sort  -------------^
 *   reads   ->  memtable, row cache, cache tier, table (see read-path.ts)
 *
 * A write is in the log, on disk, before it is visible and acknowledged (see commit-log.ts). What it replaces is gone
 * from every cache by then. A write that is rejected was not done.
 */
import type { FileHandle } from 'node:fs/promises';
import { tableEngineSupport } from '@exopool/native';
import { ExopoolError, toExopoolError, type CacheTier } from '@exopool/shared';
import { throwIfAborted } from './abort.js';
import { CommitLog } from './commit-log.js';
import { ascending, descending, MergeCursor, tombstone, type Cursor } from './cursor.js';
import { parseEngineName, requireEngine, type EngineName } from './engine.js';
import { ExternalSort, runBytesDefault } from './external-sort.js';
import { gatherEntries, LoadMerge, ProgressMeter, runBytesMin } from './load.js';
import type { LoadEntries, LoadOptions, LoadResult } from './load.js';
import { Mutex } from './mutex.js';
import { ReadPath } from './read-path.js';
import { recoverToRead, recoverToWrite, type Recovered } from './recovery.js';
import { RowCache } from './row-cache.js';
import { toRowKey, type Bytes } from './row-key.js';
import { openFolderToRead, openFolderToWrite } from './store-folder.js';
import { checkOptions, checkRange, integer } from './store-options.js';
import type {
  CheckedOptions,
  RangeOptions,
  RangeQuery,
  StoreOptions,
  WriteOptions,
} from './store-options.js';
import type { StoreStats } from './store-stats.js';
import { TableSet } from './table-set.js';
import { emptyReport, verifyTable, type VerifyReport } from './table-verify.js';
import type { TableSummary } from './table-writer.js';
import { TierGate } from './tier-gate.js';
import { WritePath } from './write-path.js';
import { toWrite, type BatchOperation, type Write } from './write.js';

/** An ordered map of byte strings: keys of 1 to 511 bytes, values of at most 16 MiB. */
export class Store {
  readonly path: string;
  readonly #options: CheckedOptions;
  readonly #tables: TableSet;
  readonly #lock: FileHandle | undefined;
  readonly #cache: RowCache;
  readonly #gate: TierGate;
  readonly #reads: ReadPath;
  /** Flushes and loads replace the table one at a time. */
  readonly #replacing = new Mutex();
  readonly #log: CommitLog;
  readonly #writes: WritePath;
  #engine: EngineName;
  #closing: Promise<void> | undefined;
  readonly #counts = { flushes: 0, loads: 0 };

  private constructor(
    path: string,
    options: CheckedOptions,
    tables: TableSet,
    recovered: Recovered,
    lock: FileHandle | undefined,
  ) {
    this.path = path;
    this.#options = options;
    this.#tables = tables;
    this.#lock = lock;
    this.#engine = options.engine;
    this.#cache = new RowCache(options.cacheBytes);
    this.#gate = new TierGate(options.cacheTier);
    const sources = {
      unflushed: (key: Buffer) => recovered.memtables.get(key),
      lookupOne: (key: Buffer) => {
        this.#requireOpen();
        return this.#tables.lookUpOne(key, this.#engine);
      },
      lookup: (keys: readonly Buffer[]) => {
        this.#requireOpen();
        return this.#tables.lookUp(keys, this.#engine);
      },
    };
    this.#reads = new ReadPath(sources, this.#cache, this.#gate);
    this.#log = new CommitLog({ folder: path, ...recovered });
    this.#writes = new WritePath(recovered.memtables, this.#log, {
      memtableBytes: options.memtableBytes,
      written: (keys) => this.#reads.written(keys),
      flush: () => this.#flush(),
    });
  }

  /**
   * Opens the store in the folder `path`.
   * @throws ExopoolError `EXOPOOL_LOCKED` when another process writes, `EXOPOOL_NOT_FOUND` when there is no store (and
   * none may be made) or a file of it is missing, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`, `EXOPOOL_PERMISSION`,
   * `EXOPOOL_UNSUPPORTED` for a forced engine that cannot run, `EXOPOOL_INVALID` for an option out of range.
   */
  static async open(path: string, options: StoreOptions = {}): Promise<Store> {
    const checked = checkOptions(options);
    const support = tableEngineSupport();
    if (checked.engine !== 'auto') requireEngine(checked.engine, support);
    const { manifest, lock } = checked.readOnly
      ? { manifest: await openFolderToRead(path), lock: undefined }
      : await openFolderToWrite(path, checked.createIfMissing);
    const tables = new TableSet({ folder: path, direct: checked.direct, support });
    try {
      const recovered = checked.readOnly
        ? await recoverToRead(path, manifest, tables)
        : await recoverToWrite(path, manifest, tables, checked.memtableBytes);
      return new Store(path, checked, tables, recovered, lock);
    } catch (error) {
      tables.close();
      await lock?.close();
      throw error;
    }
  }

  /**
   * The value of `key`, or `undefined`. Calls of the same turn are looked up together.
   * @throws ExopoolError `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`, `EXOPOOL_CORRUPT` with file and offset, `EXOPOOL_IO`.
   */
  get(key: Bytes): Promise<Buffer | undefined> {
    try {
      this.#requireOpen();
      return this.#reads.get(toRowKey(key));
    } catch (error) {
      return Promise.reject(toExopoolError(error));
    }
  }

  /** The values of `keys`, in their order; `undefined` for an absent key. Errors as {@link Store.get}. */
  async getMany(keys: readonly Bytes[]): Promise<(Buffer | undefined)[]> {
    this.#requireOpen();
    return this.#reads.getMany(keys.map(toRowKey));
  }

  /**
   * Sets `key` to `value`, durably unless `sync` is false. Waits for a flush when the memtable is full.
   * @throws ExopoolError `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`, or the error of the log or the flush
   * (`EXOPOOL_NO_SPACE`, `EXOPOOL_IO`): the write was not done then. The next write tries the disk again.
   */
  async put(key: Bytes, value: Bytes, options?: WriteOptions): Promise<void> {
    await this.#write([toWrite({ type: 'put', key, value })], options);
  }

  /** Removes `key`, if it is there. Errors as {@link Store.put}. */
  async del(key: Bytes, options?: WriteOptions): Promise<void> {
    await this.#write([toWrite({ type: 'del', key })], options);
  }

  /**
   * Does all of `operations`, in their order, or none, also when the machine crashes. At most 256 MiB of them.
   * Errors as {@link Store.put}.
   */
  async batch(operations: readonly BatchOperation[], options?: WriteOptions): Promise<void> {
    await this.#write(operations.map(toWrite), options);
  }

  /**
   * The entries between two keys, in order, as they are when the iteration begins; later writes do not show.
   * @throws ExopoolError `EXOPOOL_INVALID` at once; while iterating `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`,
   * `EXOPOOL_CORRUPT`, `EXOPOOL_IO`.
   */
  range(options: RangeOptions = {}): AsyncIterable<[Buffer, Buffer]> {
    this.#requireOpen();
    return this.#range(checkRange(options));
  }

  /**
   * Sorts `entries`, which may be more than fit in memory, and merges them into the store in one step: readers see
   * all of them or none. Of equal keys the last one wins. With respect to other writes the load happens when its merge
   * begins: what was written before is replaced, what is written later replaces.
   * @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_NO_SPACE`, `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`, …; what `entries`
   * or `onProgress` throw is thrown on. The store is as before then, and nothing is left behind.
   */
  async load(entries: LoadEntries, options: LoadOptions = {}): Promise<LoadResult> {
    this.#requireWritable();
    const { signal } = options;
    const startMs = performance.now();
    const runBytes = integer(
      'runBytes',
      options.runBytes ?? runBytesDefault,
      runBytesMin,
      Number.MAX_SAFE_INTEGER,
    );
    const name = `${process.hrtime.bigint()}`;
    const sorter = new ExternalSort({ folder: this.path, name, runBytes, signal });
    const meter = new ProgressMeter(options.onProgress?.bind(options));
    try {
      const loaded = await gatherEntries(entries, sorter, meter, () => {
        this.#requireWritable();
        throwIfAborted(signal);
      });
      const summary = await this.#replacing.run(() => this.#merge(sorter.cursors(), meter, signal));
      const seconds = (performance.now() - startMs) / 1000;
      return { loaded, entries: summary.entries, bytes: summary.bytes, runs: sorter.runs, seconds };
    } finally {
      await sorter.close();
    }
  }

  /**
   * Writes the memtable into the table and makes it durable. When it fails, what was acknowledged stays in the log
   * and in memory, and the next flush tries again.
   * @throws ExopoolError `EXOPOOL_NO_SPACE`, `EXOPOOL_IO`, `EXOPOOL_CLOSED`, …
   */
  async flush(): Promise<void> {
    this.#requireWritable();
    await this.#flush();
  }

  /** Walks the whole table. Damage is reported, not thrown. @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`. */
  async verify(options: { readonly signal?: AbortSignal } = {}): Promise<VerifyReport> {
    this.#requireOpen();
    const table = this.#tables.table?.retain();
    if (table === undefined) return emptyReport;
    try {
      return await verifyTable(table.file, options.signal);
    } finally {
      table.release();
    }
  }

  /** @throws ExopoolError `EXOPOOL_CLOSED`. */
  stats(): StoreStats {
    this.#requireOpen();
    const table = this.#tables.table;
    const engineInUse = table?.engines.choose(this.#engine) ?? 'no table';
    return {
      path: this.path,
      readOnly: this.#options.readOnly,
      engine: this.#engine === 'auto' ? `auto → ${engineInUse}` : this.#engine,
      direct: table?.file.direct ?? this.#options.direct,
      tables: table === undefined ? 0 : 1,
      tableEntries: table?.entry.entries ?? 0,
      tableBytes: table?.entry.bytes ?? 0,
      memtableEntries: this.#writes.memtables.entries,
      memtableBytes: this.#writes.memtables.bytes,
      cacheEntries: this.#cache.entries,
      cacheBytes: this.#cache.bytes,
      readsByTier: this.#reads.readsByTier,
      lookupsByEngine: this.#tables.lookups(),
      writes: this.#writes.writes,
      ...this.#log.counts,
      ...this.#counts,
      tier: { ...this.#gate.counters, stats: this.#gate.stats() },
    };
  }

  /** Puts another cache tier in place, or none. See {@link StoreOptions.cacheTier} for what it may hold. */
  setCacheTier(tier: CacheTier | undefined): void {
    this.#requireOpen();
    this.#gate.attach(tier);
  }

  /** @throws ExopoolError `EXOPOOL_UNSUPPORTED` with the reason, `EXOPOOL_INVALID` for an unknown name. */
  setEngine(name: EngineName): void {
    this.#requireOpen();
    const engine = parseEngineName(name);
    if (engine !== 'auto') requireEngine(engine, tableEngineSupport());
    this.#engine = engine;
  }

  /**
   * Flushes and closes. Idempotent. When the flush fails the store stays open: make room and close again, or give
   * `discardUnflushed` to leave what was not flushed to the log, where the next `open` finds what is on disk.
   */
  async close(options: { readonly discardUnflushed?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.discardUnflushed === true).catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(discardUnflushed: boolean): Promise<void> {
    if (!discardUnflushed && !this.#options.readOnly) await this.#flush();
    await this.#replacing.run(async () => {
      await this.#log.seal(() => undefined);
      this.#tables.close();
      await this.#gate.settled();
      await this.#lock?.close();
    });
  }

  async #write(writes: readonly Write[], options: WriteOptions | undefined): Promise<void> {
    this.#requireWritable();
    await this.#writes.write(writes, options?.sync ?? this.#options.sync, () => this.#requireWritable());
  }

  async *#range(query: RangeQuery): AsyncGenerator<[Buffer, Buffer]> {
    this.#requireOpen();
    throwIfAborted(query.signal);
    const table = this.#tables.table?.retain();
    try {
      const { memtables } = this.#writes;
      const cursors = [...memtables.cursors(query), ...this.#tables.cursors(query, query.signal)];
      const merged = await MergeCursor.open(cursors, query.reverse === true ? descending : ascending);
      for (let given = 0; given < query.limit;) {
        const wait = merged.next();
        if (wait !== undefined) await wait;
        this.#requireOpen();
        throwIfAborted(query.signal);
        if (merged.entry === undefined) return;
        const { key, value } = merged.entry;
        if (value === tombstone) continue;
        yield [Buffer.from(key), Buffer.from(value)];
        given += 1;
      }
    } finally {
      table?.release();
    }
  }

  async #flush(): Promise<void> {
    await this.#replacing.run(async () => {
      if (this.#writes.isIdle) return;
      await this.#replaceTable([], undefined, undefined);
      this.#counts.flushes += 1;
    });
  }

  async #merge(
    newest: readonly Cursor[],
    meter: ProgressMeter,
    signal: AbortSignal | undefined,
  ): Promise<TableSummary> {
    this.#requireWritable();
    await this.#gate.pause();
    try {
      const summary = await this.#replaceTable(newest, new LoadMerge(this.#gate, meter), signal);
      this.#counts.loads += 1;
      return summary;
    } finally {
      this.#gate.resume();
    }
  }

  /** Writes `newest` over the memtable over the table into a new table. */
  async #replaceTable(
    newest: readonly Cursor[],
    load: LoadMerge | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TableSummary> {
    const { memtable, log } = await this.#writes.freeze();
    try {
      return await this.#tables.replace([...newest, memtable.cursor({})], {
        signal,
        log,
        onEntry: (merged, bytesWritten) => load?.onEntry(merged, bytesWritten),
        beforeSwitch: () => load?.beforeSwitch(),
        onSwitch: () => {
          this.#writes.dropFrozen();
          if (load !== undefined) this.#reads.writtenAll();
        },
      });
    } finally {
      this.#writes.thaw();
    }
  }

  #requireOpen(): void {
    if (this.#closing === undefined) return;
    throw new ExopoolError('EXOPOOL_CLOSED', `the store in ${this.path} is closed; open it again`);
  }

  #requireWritable(): void {
    this.#requireOpen();
    if (!this.#options.readOnly) return;
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `the store in ${this.path} was opened with readOnly: true; open it to write`,
    );
  }
}
