/**
 * The store: an ordered map on disk, made of a log, a memtable and tables, with caches in front.
 *
 *   writes  ->  log  ->  memtable  --flush--->  the newest table  \
 *   loads   ->  external sort  -------------->  the newest table   >  compaction: fewer and larger ones
 *   reads   ->  memtable, cached rows, cache tier, tables from the newest to the oldest (see read/read-path.ts)
 *
 * The log has a write on disk before the write becomes visible and is acknowledged (see log/commit-log.ts). By then no
 * cache has the old value. A rejected write was not done.
 */
import type { FileHandle } from 'node:fs/promises';
import { tableEngineSupport } from '@exopool/native';
import { ExopoolError, toExopoolError, type CacheTier } from '@exopool/shared';
import { aggregateOf, checkField, type Aggregate, type NumberField } from './aggregate.js';
import { backUp } from './verify/backup.js';
import type { Decoded, Encoding, Found } from './codec.js';
import { CommitLog } from './log/commit-log.js';
import { Compactor, type CompactOptions } from './compaction/compactor.js';
import { parseEngineName, requireEngine, type EngineName } from './tables/engine.js';
import { entryCodecOf, type EncodingChoice, type EncodingOptions, type EntryCodec } from './entry-codec.js';
import { Flusher } from './write/flusher.js';
import type { LoadEntries, LoadOptions, LoadResult } from './write/load.js';
import { Loader } from './write/loader.js';
import type { OpenTable } from './tables/open-table.js';
import { ReadPath } from './read/read-path.js';
import { recoverToRead, recoverToWrite, type Recovered } from './recovery.js';
import type { Bytes } from './format/row-key.js';
import { Snapshot } from './snapshot.js';
import { openFolderToRead, openFolderToWrite } from './store-folder.js';
import { checkFolder, checkOptions, checkRange, requireArray, requireIterable } from './store-options.js';
import type {
  CheckedOptions,
  KeyRangeOptions,
  RangeOptions,
  StoreOptions,
  WriteOptions,
} from './store-options.js';
import type { StoreStats } from './store-stats.js';
import { TableSet } from './tables/table-set.js';
import { addReports, emptyReport, verifyTable, type VerifyReport } from './verify/table-verify.js';
import { TierGate } from './read/tier-gate.js';
import { View, walk } from './view.js';
import { WritePath } from './write/write-path.js';
import { toWrite, type BatchOperation, type Write } from './write/write.js';

/**
 * An ordered map on disk: keys of 1 to 511 bytes, values of at most 16 MiB.
 *
 * It takes bytes or text and returns `Buffer`s. With `keyEncoding` and `valueEncoding` it takes and returns other
 * types; `Key` and `Value` are the types that it takes. One process may write to a store, any number may read it.
 *
 * @example
 * ```js
 * import { Store } from '@exopool/bpf-storage';
 *
 * const store = await Store.open('fruit');
 * await store.put('cherry', 'dark red');
 * console.log(String(await store.get('cherry'))); // dark red
 * await store.close();
 * ```
 */
export class Store<Key = Bytes, Value = Bytes> {
  /** The absolute path of the store's folder. */
  readonly path: string;
  readonly #codec: EntryCodec<Key, Value>;
  readonly #options: CheckedOptions;
  readonly #tables: TableSet;
  readonly #lock: FileHandle | undefined;
  readonly #gate: TierGate;
  readonly #reads: ReadPath;
  readonly #log: CommitLog;
  readonly #writes: WritePath;
  readonly #flusher: Flusher;
  readonly #compactor: Compactor;
  readonly #loader: Loader;
  #engine: EngineName;
  #closing: Promise<void> | undefined;

  private constructor(
    path: string,
    codec: EntryCodec<Key, Value>,
    options: CheckedOptions,
    tables: TableSet,
    recovered: Recovered,
    lock: FileHandle | undefined,
  ) {
    this.path = path;
    this.#codec = codec;
    this.#options = options;
    this.#tables = tables;
    this.#lock = lock;
    this.#engine = options.engine;
    this.#gate = new TierGate(options.cacheTier);
    recovered.memtables.follow((memtables) =>
      tables.index.setMemtables(memtables.map(({ handle }) => handle)),
    );
    this.#reads = new ReadPath(tables.index, this.#gate);
    this.#log = new CommitLog({ folder: path, ...recovered });
    this.#compactor = new Compactor(tables, options.compactionBytesPerSecond);
    this.#writes = new WritePath(recovered.memtables, this.#log, {
      memtableBytes: options.memtableBytes,
      hasOldLogs: recovered.previous.number >= tables.log,
      written: (keys) => this.#reads.written(keys),
      makeRoom: () => this.#flusher.makeRoom(),
      tables: () => tables.tables.length,
    });
    this.#flusher = new Flusher(this.#writes, tables, this.#compactor);
    this.#loader = new Loader({
      folder: path,
      tables,
      flusher: this.#flusher,
      gate: this.#gate,
      requireWritable: () => this.#requireWritable(),
      writtenAll: () => this.#reads.writtenAll(),
    });
  }

  /**
   * Opens the store in the folder `path`, and creates it if there is none.
   *
   * `keyEncoding` and `valueEncoding` choose the types of keys and values: `'utf8'` for text, `'json'` for anything that
   * JSON can hold, or a {@link Codec} of your own. In TypeScript, name the types that JSON stands for:
   * `Store.open<string, Package>(path, { keyEncoding: 'utf8', valueEncoding: 'json' })`.
   * @param path The store's folder. A relative path starts at the current working directory.
   * @throws ExopoolError `EXOPOOL_LOCKED` when another process has it open for writing; `EXOPOOL_NOT_FOUND` when there is
   * no store and `createIfMissing` or `readOnly` forbids to make one, or when a file of the store is missing;
   * `EXOPOOL_CORRUPT`; `EXOPOOL_VERSION`; `EXOPOOL_PERMISSION`; `EXOPOOL_UNSUPPORTED` when a forced engine cannot run;
   * `EXOPOOL_INVALID` when an option is out of range.
   */
  static open<KeyEncoding extends Encoding = 'buffer', ValueEncoding extends Encoding = 'buffer'>(
    path: string,
    options?: StoreOptions & { readonly keyEncoding?: KeyEncoding; readonly valueEncoding?: ValueEncoding },
  ): Promise<Store<Decoded<KeyEncoding>, Decoded<ValueEncoding>>>;
  static open<Key, Value>(
    path: string,
    options: StoreOptions & EncodingChoice<'keyEncoding', Key> & EncodingChoice<'valueEncoding', Value>,
  ): Promise<Store<Key, Value>>;
  static async open(
    path: string,
    options: StoreOptions & EncodingOptions = {},
  ): Promise<Store<unknown, unknown>> {
    const codec = entryCodecOf<unknown, unknown>(options);
    const checked = checkOptions(options);
    const folder = checkFolder(path);
    const support = tableEngineSupport();
    if (checked.engine !== 'auto') requireEngine(checked.engine, support);
    const { manifest, lock } = checked.readOnly
      ? { manifest: await openFolderToRead(folder), lock: undefined }
      : await openFolderToWrite(folder, checked.createIfMissing);
    const { direct, cacheBytes, engine } = checked;
    let tables: TableSet | undefined;
    try {
      tables = new TableSet({ folder, direct, support }, cacheBytes, engine);
      const recovered = checked.readOnly
        ? await recoverToRead(folder, manifest, tables)
        : await recoverToWrite(folder, manifest, tables, checked.memtableBytes);
      tables.setEngine(engine);
      return new Store(folder, codec, checked, tables, recovered, lock);
    } catch (error) {
      tables?.close();
      await lock?.close();
      throw error;
    }
  }

  /**
   * Returns the value of `key`, or `undefined` if the store does not have it. Calls of one turn of the event loop are
   * looked up together.
   * @throws ExopoolError `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`, `EXOPOOL_CORRUPT` with file and offset, `EXOPOOL_IO`,
   * `EXOPOOL_ENCODING` when the value does not have the encoding that the store was opened with.
   */
  get(key: Key): Promise<Found<Value> | undefined> {
    try {
      this.#requireOpen();
      const encoded = this.#codec.encodeKey(key);
      return this.#codec.decodeLater(encoded, this.#reads.get(encoded));
    } catch (error) {
      return Promise.reject(toExopoolError(error));
    }
  }

  /**
   * Returns the value of `key`, or `undefined`, without a promise. If the value is not in memory, the calling thread
   * reads it from disk and blocks meanwhile; the cache tier is not asked.
   * @throws ExopoolError as {@link Store.get}.
   */
  getSync(key: Key): Found<Value> | undefined {
    this.#requireOpen();
    const encoded = this.#codec.encodeKey(key);
    return this.#codec.decodeValue(encoded, this.#reads.getSync(encoded));
  }

  /**
   * Returns the values of `keys`, in the same order, with `undefined` for each absent key.
   * @throws ExopoolError as {@link Store.get}.
   */
  async getMany(keys: readonly Key[]): Promise<(Found<Value> | undefined)[]> {
    this.#requireOpen();
    requireArray(keys, 'keys');
    const encoded = this.#codec.encodeKeys(keys);
    return this.#codec.decodeMany(encoded, await this.#reads.getMany(encoded));
  }

  /** Returns whether the store has `key`. @throws ExopoolError as {@link Store.get}. */
  async has(key: Key): Promise<boolean> {
    this.#requireOpen();
    return (await this.#reads.get(this.#codec.encodeKey(key))) !== undefined;
  }

  /**
   * Sets `key` to `value`. Resolves once the write is on disk, or in memory if `sync` is false. The call waits while the
   * memtable is full or compaction is far behind.
   * @throws ExopoolError `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`; `EXOPOOL_NO_SPACE` or `EXOPOOL_IO` of the log or the flush.
   * A write that throws was not done. The next write tries the disk again.
   */
  async put(key: Key, value: Value, options?: WriteOptions): Promise<void> {
    await this.#write([toWrite(this.#codec.encodeOperation({ type: 'put', key, value }))], options);
  }

  /** Deletes `key`; does nothing if the store does not have it. @throws ExopoolError as {@link Store.put}. */
  async del(key: Key, options?: WriteOptions): Promise<void> {
    await this.#write([toWrite(this.#codec.encodeOperation({ type: 'del', key }))], options);
  }

  /**
   * Applies `operations` in their order, all of them or none, even if the machine crashes. A batch has at most 256 MiB.
   * @throws ExopoolError as {@link Store.put}.
   */
  async batch(operations: readonly BatchOperation<Key, Value>[], options?: WriteOptions): Promise<void> {
    requireArray(operations, 'operations');
    const writes = operations.map((operation) => toWrite(this.#codec.encodeOperation(operation)));
    await this.#write(writes, options);
  }

  /**
   * Iterates over the entries of a range of keys, in order. It sees the store as it is when the iteration begins; later
   * writes do not show.
   * @returns pairs `[key, value]`, or only keys with `keysOnly: true`.
   * @throws ExopoolError `EXOPOOL_INVALID` from the call itself; `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`, `EXOPOOL_CORRUPT`,
   * `EXOPOOL_IO` or `EXOPOOL_ENCODING` from the iteration.
   */
  range(options: KeyRangeOptions<Key>): AsyncIterable<Found<Key>>;
  range(options?: RangeOptions<Key>): AsyncIterable<[Found<Key>, Found<Value>]>;
  range(
    options: RangeOptions<Key> | KeyRangeOptions<Key> = {},
  ): AsyncIterable<[Found<Key>, Found<Value>] | Found<Key>> {
    this.#requireOpen();
    const query = checkRange(this.#codec.encodeRange(options));
    const mayGoOn = (): void => this.#requireOpen();
    return walk(() => this.#view(), query, mayGoOn, this.#codec.takerOf(query));
  }

  /**
   * Counts the entries of a range. With `field` it also computes the sum, minimum and maximum of one number that every
   * value holds at the same offset. Native code does it in one pass.
   * @throws ExopoolError as {@link Store.range}.
   */
  async aggregate(
    options: Omit<RangeOptions<Key>, 'keysOnly'> & { readonly field?: NumberField } = {},
  ): Promise<Aggregate> {
    this.#requireOpen();
    const field = options.field && checkField(options.field);
    const query = checkRange(this.#codec.encodeRange({ ...options, keysOnly: false }));
    const entries = { ...query, keysOnly: field === undefined };
    const mayGoOn = (): void => this.#requireOpen();
    return aggregateOf(this.#view(), entries, field, mayGoOn);
  }

  /**
   * Returns the store as it is now, to be read while writes go on. Close it: it keeps disk space and memory.
   * @throws ExopoolError `EXOPOOL_CLOSED`.
   */
  snapshot(): Snapshot<Key, Value> {
    const store = { requireOpen: () => this.#requireOpen(), engine: () => this.#engine };
    return new Snapshot(this.#view(), this.#codec, store);
  }

  /**
   * Flushes the store and copies it to the folder `path`. The folder is created if needed and must be empty. Reads and
   * writes go on; the copy may miss writes that are made after the call.
   * @throws ExopoolError `EXOPOOL_INVALID`, `EXOPOOL_NO_SPACE`, `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`, …
   */
  async backup(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#requireWritable();
    const folder = checkFolder(path);
    await this.#flusher.flush();
    const view = this.#view();
    try {
      await backUp(view.tables, folder, options.signal);
    } finally {
      view.close();
    }
  }

  /**
   * Sorts `entries` and adds them to the store as one table, in one step: readers see all of them or none.
   *
   * The entries may come in any order and may exceed memory. Of equal keys the last one wins. Compared with other writes,
   * the load happens at the moment when its merge begins: it replaces earlier writes, and later writes replace it.
   * @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_NO_SPACE`, `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`, …, and whatever
   * `entries` or `onProgress` throw. After an error the store is unchanged, and no files are left behind. There is one
   * exception: if the sync of the folder fails at the very end (`EXOPOOL_IO`), the load is visible, and only a power
   * loss may undo it.
   */
  async load(entries: LoadEntries<Key, Value>, options: LoadOptions = {}): Promise<LoadResult> {
    this.#requireWritable();
    requireIterable(entries);
    return this.#loader.load(this.#codec.encodeEntries(entries), options);
  }

  /**
   * Writes the memtable to a table. If it fails, acknowledged writes stay in the log and in memory, and the next flush
   * tries again.
   * @throws ExopoolError `EXOPOOL_NO_SPACE`, `EXOPOOL_IO`, `EXOPOOL_CLOSED`, …
   */
  async flush(): Promise<void> {
    this.#requireWritable();
    await this.#flusher.flush();
  }

  /**
   * Merges all tables into one, which frees the space of overwritten and deleted values. It reads and writes all of the
   * data once; reads and writes go on meanwhile.
   * @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_NO_SPACE`, `EXOPOOL_CLOSED`, …; the store is unchanged then.
   */
  async compact(options: CompactOptions = {}): Promise<void> {
    this.#requireWritable();
    await this.#flusher.flush();
    await this.#compactor.mergeAll(options);
  }

  /**
   * Reads every table whole and checks it. Damage is in the report; it is not thrown.
   * @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`.
   */
  async verify(options: { readonly signal?: AbortSignal } = {}): Promise<VerifyReport> {
    this.#requireOpen();
    const view = this.#view();
    try {
      let report = emptyReport;
      for (const { file } of view.tables)
        report = addReports(report, await verifyTable(file, options.signal));
      return report;
    } finally {
      view.close();
    }
  }

  /** Returns counters since the store was opened, and its sizes now. @throws ExopoolError `EXOPOOL_CLOSED`. */
  stats(): StoreStats {
    this.#requireOpen();
    const { tables } = this.#tables;
    const index = this.#tables.index.stats();
    const sum = (of: (entry: OpenTable['entry']) => number): number =>
      tables.reduce((total, { entry }) => total + of(entry), 0);
    // The oldest table is the largest, as a rule.
    const engineInUse = this.#tables.engines.at(-1) ?? 'no table';
    return {
      path: this.path,
      readOnly: this.#options.readOnly,
      engine: this.#engine === 'auto' ? `auto → ${engineInUse}` : this.#engine,
      direct: tables.at(-1)?.file.direct ?? this.#options.direct,
      tables: tables.length,
      tableEntries: sum(({ entries }) => entries),
      tableBytes: sum(({ bytes }) => bytes),
      memtableEntries: this.#writes.memtables.entries,
      memtableBytes: this.#writes.memtables.bytes,
      cacheEntries: index.rows + index.leaves,
      cacheBytes: index.cacheBytes + index.interiorBytes + index.filterBytes,
      index,
      readsByTier: this.#reads.readsByTier,
      lookupsByEngine: this.#tables.lookups(),
      writes: this.#writes.writes,
      ...this.#log.counts,
      ...this.#compactor.counts,
      flushes: this.#flusher.flushes,
      loads: this.#loader.loads,
      tier: { ...this.#gate.counters, stats: this.#gate.stats() },
    };
  }

  /**
   * Replaces the cache tier; `undefined` removes it. {@link StoreOptions.cacheTier} says what the tier may hold.
   * @throws ExopoolError `EXOPOOL_CLOSED`.
   */
  setCacheTier(tier: CacheTier | undefined): void {
    this.#requireOpen();
    this.#gate.attach(tier);
  }

  /**
   * Reads the tables by another engine from now on.
   * @throws ExopoolError `EXOPOOL_UNSUPPORTED` with the reason and the remedy, `EXOPOOL_INVALID` for an unknown name,
   * `EXOPOOL_CLOSED`.
   */
  setEngine(name: EngineName): void {
    this.#requireOpen();
    const engine = parseEngineName(name);
    if (engine !== 'auto') requireEngine(engine, tableEngineSupport());
    this.#tables.setEngine(engine);
    this.#engine = engine;
  }

  /**
   * Flushes the store and closes it. Idempotent. If the flush fails, the store stays open: free disk space and close it
   * again, or close it with `discardUnflushed: true`. Then unflushed writes stay in the log, and the next `open` recovers
   * those that are on disk.
   * @throws ExopoolError `EXOPOOL_NO_SPACE`, `EXOPOOL_IO` of the flush.
   */
  async close(options: { readonly discardUnflushed?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.discardUnflushed === true).catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    await this.#closing;
  }

  /** As {@link Store.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(discardUnflushed: boolean): Promise<void> {
    if (!discardUnflushed && !this.#options.readOnly) await this.#flusher.flush();
    await this.#flusher.settled();
    await this.#compactor.close();
    await this.#log.seal(() => undefined);
    this.#tables.close();
    this.#writes.memtables.close();
    await this.#tables.settled();
    await this.#gate.settled();
    await this.#lock?.close();
  }

  async #write(writes: readonly Write[], options: WriteOptions | undefined): Promise<void> {
    this.#requireWritable();
    await this.#writes.write(writes, options?.sync ?? this.#options.sync, () => this.#requireWritable());
  }

  #view(): View {
    this.#requireOpen();
    return new View(this.#writes.memtables.view(), this.#tables.tables, this.#tables.index);
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
