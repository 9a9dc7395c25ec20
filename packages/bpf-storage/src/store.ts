/**
 * The store: an ordered map on disk, made of a log, a memtable and tables, with caches in front.
 *
 *   writes  ->  log  ->  memtable  --flush--->  the newest table  \
 *   loads   ->  external sort  -------------->  the newest table   >  compaction: fewer and larger ones
 *   reads   ->  memtable, cached rows, cache tier, tables from the newest to the oldest (see read-path.ts)
 *
 * A write is in the log, on disk, before it is visible and acknowledged (see commit-log.ts). What it replaces is gone
 * from every cache by then. A write that is rejected was not done.
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
 * An ordered map: keys of 1 to 511 bytes, values of at most 16 MiB. It takes bytes or text and gives `Buffer`s, unless
 * it is opened with other encodings; `Key` and `Value` are what it takes.
 */
export class Store<Key = Bytes, Value = Bytes> {
  /** Of its folder, absolute. */
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
   * Opens the store in the folder `path`. With `keyEncoding` and `valueEncoding` it takes and gives keys and values of
   * other types: `'utf8'` text, `'json'` what JSON can say, or what a {@link Codec} of your own makes of bytes. Say which
   * types JSON stands for: `Store.open<string, Package>(path, { keyEncoding: 'utf8', valueEncoding: 'json' })`.
   * @throws ExopoolError `EXOPOOL_LOCKED` when another process writes, `EXOPOOL_NOT_FOUND` when there is no store (and
   * none may be made) or a file of it is missing, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`, `EXOPOOL_PERMISSION`,
   * `EXOPOOL_UNSUPPORTED` for a forced engine that cannot run, `EXOPOOL_INVALID` for an option out of range.
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
   * The value of `key`, or `undefined`. Calls of the same turn are looked up together.
   * @throws ExopoolError `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`, `EXOPOOL_CORRUPT` with file and offset, `EXOPOOL_IO`,
   * `EXOPOOL_ENCODING` when the value is not in the encoding that the store was opened with.
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
   * The value of `key`, or `undefined`, at once. What is not in memory is read by the calling thread, which waits for
   * the disk, past the cache tier. @throws ExopoolError as {@link Store.get}.
   */
  getSync(key: Key): Found<Value> | undefined {
    this.#requireOpen();
    const encoded = this.#codec.encodeKey(key);
    return this.#codec.decodeValue(encoded, this.#reads.getSync(encoded));
  }

  /** The values of `keys`, in their order; `undefined` for an absent key. Errors as {@link Store.get}. */
  async getMany(keys: readonly Key[]): Promise<(Found<Value> | undefined)[]> {
    this.#requireOpen();
    requireArray(keys, 'keys');
    const encoded = this.#codec.encodeKeys(keys);
    return this.#codec.decodeMany(encoded, await this.#reads.getMany(encoded));
  }

  /** Whether `key` is there. Errors as {@link Store.get}. */
  async has(key: Key): Promise<boolean> {
    this.#requireOpen();
    return (await this.#reads.get(this.#codec.encodeKey(key))) !== undefined;
  }

  /**
   * Sets `key` to `value`, durably unless `sync` is false. Waits when memory is full, or compaction far behind.
   * @throws ExopoolError `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`, or the error of the log or the flush
   * (`EXOPOOL_NO_SPACE`, `EXOPOOL_IO`): the write was not done then. The next write tries the disk again.
   */
  async put(key: Key, value: Value, options?: WriteOptions): Promise<void> {
    await this.#write([toWrite(this.#codec.encodeOperation({ type: 'put', key, value }))], options);
  }

  /** Removes `key`, if it is there. Errors as {@link Store.put}. */
  async del(key: Key, options?: WriteOptions): Promise<void> {
    await this.#write([toWrite(this.#codec.encodeOperation({ type: 'del', key }))], options);
  }

  /**
   * Does all of `operations`, in their order, or none, also when the machine crashes. At most 256 MiB of them.
   * Errors as {@link Store.put}.
   */
  async batch(operations: readonly BatchOperation<Key, Value>[], options?: WriteOptions): Promise<void> {
    requireArray(operations, 'operations');
    const writes = operations.map((operation) => toWrite(this.#codec.encodeOperation(operation)));
    await this.#write(writes, options);
  }

  /**
   * The entries between two keys, in order, as they are when the iteration begins; later writes do not show.
   * @throws ExopoolError `EXOPOOL_INVALID` at once; while iterating `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`,
   * `EXOPOOL_CORRUPT`, `EXOPOOL_IO`.
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
   * Count, and with `field` sum, least and greatest of a number in the values, over the entries of a range.
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

  /** The store as it is now, to be read while writes go on. Close it. @throws ExopoolError `EXOPOOL_CLOSED`. */
  snapshot(): Snapshot<Key, Value> {
    const store = { requireOpen: () => this.#requireOpen(), engine: () => this.#engine };
    return new Snapshot(this.#view(), this.#codec, store);
  }

  /**
   * Flushes, and copies the store to the folder `path`, which is made and must be empty. Reads and writes go on; what
   * is written after the call is not in the copy for sure.
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
   * Sorts `entries`, which may be more than fit in memory, and puts them into the store as one table, in one step:
   * readers see all of them or none. Of equal keys the last one wins. With respect to other writes the load happens when its merge
   * begins: what was written before is replaced, what is written later replaces.
   * @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_NO_SPACE`, `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`, …; what `entries`
   * or `onProgress` throw is thrown on. The store is as before then, and nothing is left behind; but when syncing the
   * folder fails at the very end (`EXOPOOL_IO`) the load is there all the same, and only a loss of power may take it back.
   */
  async load(entries: LoadEntries<Key, Value>, options: LoadOptions = {}): Promise<LoadResult> {
    this.#requireWritable();
    requireIterable(entries);
    return this.#loader.load(this.#codec.encodeEntries(entries), options);
  }

  /**
   * Writes the memtable into a table. When it fails, what was acknowledged stays in the log
   * and in memory, and the next flush tries again.
   * @throws ExopoolError `EXOPOOL_NO_SPACE`, `EXOPOOL_IO`, `EXOPOOL_CLOSED`, …
   */
  async flush(): Promise<void> {
    this.#requireWritable();
    await this.#flusher.flush();
  }

  /**
   * Merges everything into one table: what was overwritten or deleted gives its space back. Takes the time of reading
   * and writing all of it; reads and writes go on meanwhile.
   * @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_NO_SPACE`, `EXOPOOL_CLOSED`, …; nothing has changed then.
   */
  async compact(options: CompactOptions = {}): Promise<void> {
    this.#requireWritable();
    await this.#flusher.flush();
    await this.#compactor.mergeAll(options);
  }

  /** Walks every table. Damage is reported, not thrown. @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`. */
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

  /** @throws ExopoolError `EXOPOOL_CLOSED`. */
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
    this.#tables.setEngine(engine);
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
