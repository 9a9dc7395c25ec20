/**
 * The index of a store in native memory: memtables, tables, and a cache of rows and leaf pages in front of them.
 *
 * ```
 *   find(key)    memtables -> cached row -> tables whose bounds and filter admit the key -> cached leaf
 *   get(key)     find, else the tables on other threads; the row is cached unless the key was written meanwhile
 * ```
 *
 * `find` costs one crossing and no allocation in native code. Its values are parts of blocks of 64 KiB, and the values of
 * one delivery of `get` share a block: copy a value to keep it for long. A block is marked as untransferable, because
 * transferring one value would take the others along. Node.js 20 ignores the mark in byte streams; then a new block is
 * used, and native code writes no more to the old one.
 */
import { markAsUntransferable } from 'node:worker_threads';
import { ExopoolError } from '@exopool/shared';
import { EXO_KEY_MAX, findCode, indexKeyBytes, noToken } from '../contracts.js';
import { awaitAnswer, lookupStream, nextToken } from './lookup-stream.js';
import { tableBinding, tableError, type Packed, type StoreIndexBinding } from './table-binding.js';
import type { StoreIndexStats } from './table-binding.js';
import { engineNumber, type TableEngine } from './table-engine.js';
import type { TableFile } from './table-file.js';

/** The answer of `find` when a table must be read. */
export const notInMemory: unique symbol = Symbol('not in memory');

/** A table of a store, with its bounds. */
export interface IndexedTable {
  readonly file: TableFile;
  readonly smallestKey: Buffer;
  readonly largestKey: Buffer;
}

/** How much memory the index may use. */
export interface StoreIndexOptions {
  /** For cached rows and leaves, interior pages and filters. The last two take at most half of it. */
  readonly cacheBytes: number;
}

/** Values found in memory lie in blocks of this size. A new block costs as much as some ten calls. */
const blockBytes = 64 * 1024;
/** Memory for packed keys that is kept for the next call, some 10,000 keys; one call may take more. */
const packedBytesKept = 1024 * 1024;
/** A UTF-16 unit takes at most three bytes in UTF-8. */
const keyBufferBytes = EXO_KEY_MAX * 3;
/** Up to this length a loop is faster than a call. */
const shortKeyBytes = 40;
const keyLengthBytes = 2;

/**
 * Looks keys up in the memtables and tables of a store.
 * @example
 * ```ts
 * import { notInMemory, StoreIndex, type IndexedTable } from '@exopool/native/internal';
 *
 * declare const table: IndexedTable;
 * const index = new StoreIndex({ cacheBytes: 64 * 1024 * 1024 });
 * index.setTables([table]);
 * const found = index.find('key');
 * console.log(found === notInMemory ? await index.get('key') : found);
 * index.close();
 * ```
 */
export class StoreIndex {
  readonly #key: Buffer;
  readonly #native: StoreIndexBinding;
  #block = Buffer.alloc(0);
  #blockAt = 0;
  #isGathering = false;
  #packed = Buffer.allocUnsafeSlow(blockBytes);

  /** @throws ExopoolError `EXOPOOL_IO` when there is no memory for the cache. */
  constructor({ cacheBytes }: StoreIndexOptions) {
    const [binding, stream] = [tableBinding(), lookupStream()];
    try {
      this.#native = binding.openStoreIndex(cacheBytes, stream);
    } catch (cause) {
      const message = `there is no memory for a cache of ${cacheBytes} bytes; lower cacheBytes`;
      throw new ExopoolError('EXOPOOL_IO', message, { cause });
    }
    this.#key = Buffer.from(this.#native.key, 0, indexKeyBytes);
  }

  /**
   * The value from memory; `undefined` for a key that is known to be absent; else {@link notInMemory}.
   * @throws ExopoolError `EXOPOOL_INVALID` unless the key has 1 to 511 bytes.
   */
  find(key: Uint8Array | string): Buffer | undefined | typeof notInMemory {
    return this.#take(this.#find(this.#putKey(key), noToken));
  }

  /** The value. Throws as {@link find}; also `EXOPOOL_CORRUPT` and `EXOPOOL_IO`, with file and offset. */
  get(key: Uint8Array | string): Promise<Buffer | undefined> {
    const found = this.#find(this.#putKey(key), nextToken());
    if (found !== findCode.notInMemory) return Promise.resolve(this.#take(found) as Buffer | undefined);
    this.#flushLater();
    return awaitAnswer();
  }

  /** As {@link get}, without a promise: this thread itself reads the tables, and waits for the disk. */
  getSync(key: Uint8Array | string): Buffer | undefined {
    const length = this.#putKey(key);
    const found = this.#take(this.#find(length, noToken));
    if (found !== notInMemory) return found;
    const { value, failure } = this.#native.readNow(length);
    if (failure !== undefined) throw tableError('', failure);
    return value;
  }

  /**
   * The values of `keys`, in order, in one crossing. No promise when all are in memory. The values share one block.
   * @throws ExopoolError as {@link get}; also `EXOPOOL_INVALID` when the values exceed 1 GiB.
   */
  getMany(keys: readonly (Uint8Array | string)[]): (Buffer | undefined)[] | Promise<(Buffer | undefined)[]> {
    const answer = this.#native.getMany(this.#pack(keys), true);
    return answer instanceof Promise
      ? answer.then((packedValues) => unpack(packedValues, keys.length))
      : unpack(answer, keys.length);
  }

  /** As {@link getMany}, but from tables only. It neither asks nor fills the cache: see {@link admit}. */
  async lookUpMany(keys: readonly (Uint8Array | string)[]): Promise<(Buffer | undefined)[]> {
    return unpack(await this.#native.getMany(this.#pack(keys), false), keys.length);
  }

  /** The number of writes to `key`, and to some other keys with it. */
  epoch(key: Uint8Array | string): number {
    return this.#native.epoch(this.#putKey(key));
  }

  /**
   * Caches the result of a fetch, unless the key was written since.
   * @param epoch taken in the turn of the `find` before the fetch.
   * @returns false when the key was written since: the value may be old.
   */
  admit(key: Uint8Array | string, epoch: number, value: Buffer | undefined): boolean {
    return this.#native.admit(this.#putKey(key), epoch, value);
  }

  /** Must be called in the turn in which `keys` are written. */
  written(keys: readonly Uint8Array[]): void {
    this.#native.written(this.#pack(keys));
  }

  /** Must be called in the turn in which any key may change. */
  writtenAll(): void {
    this.#native.writtenAll();
  }

  /** Replaces the tables, newest first. Lookups in flight keep the old ones. `pread` reads them until {@link setEngines}. */
  setTables(tables: readonly IndexedTable[]): void {
    this.#native.setTables(
      tables.map(({ file }) => file.handle),
      tables.flatMap(({ smallestKey, largestKey }) => [smallestKey, largestKey]),
    );
  }

  /** Sets the engine of each table, in the order of {@link setTables}. */
  setEngines(engines: readonly TableEngine[]): void {
    this.#native.setEngines(engines.map(engineNumber));
  }

  /** Replaces the memtables, newest first. */
  setMemtables(memtables: readonly object[]): void {
    this.#native.setMemtables(memtables);
  }

  /**
   * Must be awaited before the first lookup in a table. The table's interior pages count in the budget, and its filter is
   * read if there is room. Lookups work without a filter that cannot be read; verifying the table reports it.
   */
  async prepare(file: TableFile): Promise<void> {
    await this.#native.prepareTable(file.handle);
  }

  /** The cache of leaf pages, for scans: see {@link ScanSources}. */
  get leaves(): object {
    return this.#native.leaves;
  }

  /** The counters now. */
  stats(): StoreIndexStats {
    return this.#native.stats();
  }

  /** Releases tables and memory. Lookups in flight finish. The index must not be used any more. */
  close(): void {
    this.#native.flush();
    this.#native.close();
  }

  #flushLater(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    queueMicrotask(() => {
      this.#isGathering = false;
      this.#native.flush();
    });
  }

  /** Puts the key into the buffer that the addon reads. @returns its length. */
  #putKey(key: Uint8Array | string): number {
    const length = typeof key === 'string' ? putText(key, this.#key) : putBytes(key, this.#key);
    if (length === 0 || length > EXO_KEY_MAX) throw wrongLength(length);
    return length;
  }

  /** Turns the addon's answer into a value. */
  #take(found: number): Buffer | undefined | typeof notInMemory {
    if (found >= 0) {
      const at = this.#blockAt;
      this.#blockAt = at + ((found + 7) & ~7);
      return this.#block.subarray(at, at + found);
    }
    if (found === findCode.absent) return undefined;
    if (found === findCode.notInMemory) return notInMemory;
    if (found === findCode.large) return this.#native.large();
    return this.#take(this.#renewBlock(true));
  }

  /** Asks memory. The block is there: a caller may have detached it since the last call. */
  #find(length: number, token: number): number {
    if (this.#block.length === 0) this.#renewBlock(false);
    return this.#native.find(length, token);
  }

  #renewBlock(isRetry: boolean): number {
    this.#block = Buffer.allocUnsafeSlow(blockBytes);
    markAsUntransferable(this.#block.buffer);
    this.#blockAt = 0;
    return this.#native.setBlock(this.#block, isRetry);
  }

  /** Packs keys end to end, each after its length. */
  #pack(keys: readonly (Uint8Array | string)[]): Buffer {
    let at = 0;
    for (const key of keys) {
      if (at + keyLengthBytes + keyBufferBytes > this.#packed.length) {
        const larger = Buffer.allocUnsafeSlow(this.#packed.length * 2);
        this.#packed.copy(larger, 0, 0, at);
        this.#packed = larger;
      }
      const length = this.#putKey(key);
      this.#packed.writeUInt16LE(length, at);
      this.#key.copy(this.#packed, at + keyLengthBytes, 0, length);
      at += keyLengthBytes + length;
    }
    const packed = this.#packed.subarray(0, at);
    if (this.#packed.length > packedBytesKept) this.#packed = Buffer.allocUnsafeSlow(blockBytes);
    return packed;
  }
}

function unpack({ packed, failure }: Packed, count: number): (Buffer | undefined)[] {
  if (failure !== undefined) throw tableError('', failure);
  const lengths = new Int32Array(packed!.buffer, packed!.byteOffset, count);
  const values = new Array<Buffer | undefined>(count);
  let at = count * Int32Array.BYTES_PER_ELEMENT;
  for (let index = 0; index < count; index += 1) {
    const length = lengths[index]!;
    values[index] = length < 0 ? undefined : packed!.subarray(at, (at += length));
  }
  return values;
}

/** @returns the length, which may exceed that of a key. Nothing is written past the buffer. */
function putText(text: string, into: Buffer): number {
  const { length } = text;
  if (length > EXO_KEY_MAX) return Buffer.byteLength(text);
  if (length > shortKeyBytes) return into.write(text, 0, 'utf8');
  for (let at = 0; at < length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 127) return into.write(text, 0, 'utf8');
    into[at] = unit;
  }
  return length;
}

function putBytes(bytes: unknown, into: Buffer): number {
  if (!(bytes instanceof Uint8Array)) {
    const given = bytes === null ? 'null' : typeof bytes;
    throw new ExopoolError('EXOPOOL_INVALID', `a key must be a Buffer or a string, not ${given}`);
  }
  const { length } = bytes;
  if (length > EXO_KEY_MAX) return length;
  if (length > shortKeyBytes) into.set(bytes);
  else for (let at = 0; at < length; at += 1) into[at] = bytes[at]!;
  return length;
}

function wrongLength(length: number): ExopoolError {
  return new ExopoolError('EXOPOOL_INVALID', `a key must have 1 to ${EXO_KEY_MAX} bytes, not ${length}`);
}
