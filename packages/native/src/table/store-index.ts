/**
 * What a store reads from, in native memory: memtables, tables, and a cache of rows and leaf pages before them.
 *
 * ```
 *   find(key)    memtables -> cached row -> tables whose bounds and filter admit the key -> cached leaf
 *   get(key)     find, else the tables on other threads; what is found is cached unless the key was written meanwhile
 * ```
 *
 * `find` costs one crossing and no allocation in native code. Values that it returns are parts of blocks of 64 KiB,
 * as those of one delivery of `get` are of one block: whoever keeps a few of many for long should copy them.
 */
import { ExopoolError } from '@exopool/shared';
import { awaitAnswer, lookupStream, nextToken } from './lookup-stream.js';
import { tableBinding, tableError, type Packed, type StoreIndexBinding } from './table-binding.js';
import type { StoreIndexStats } from './table-binding.js';
import { engineNumber, type TableEngine } from './table-engine.js';
import { keyMaxBytes, type TableFile } from './table-file.js';

/** `find` cannot say without reading a table. */
export const notInMemory: unique symbol = Symbol('not in memory');

/** A table as a store knows it. */
export interface IndexedTable {
  readonly file: TableFile;
  readonly smallestKey: Buffer;
  readonly largestKey: Buffer;
}

export interface StoreIndexOptions {
  /** Memory for cached rows and leaves, interior pages and filters; the last two take half of it at most. */
  readonly cacheBytes: number;
}

/** Answers of the addon's `find` where there is no length. */
const code = { absent: -1, notInMemory: -2, noRoom: -3, large: -4 } as const;
const noToken = -1;
/** Values found in memory lie in blocks of this size. A new one costs as much as some ten calls. */
const blockBytes = 64 * 1024;
/** Packed keys of one call may take more; the memory is kept for the next one up to here: some 10,000 keys. */
const packedBytesKept = 1024 * 1024;
/** A UTF-16 unit takes at most three bytes in UTF-8. */
const keyBufferBytes = keyMaxBytes * 3;
/** A loop is faster than a call up to here. */
const shortKeyBytes = 40;
const keyLengthBytes = 2;

export class StoreIndex {
  readonly #key = Buffer.allocUnsafeSlow(keyBufferBytes);
  readonly #native: StoreIndexBinding;
  #block = Buffer.allocUnsafeSlow(blockBytes);
  #blockAt = 0;
  #isGathering = false;
  #packed = Buffer.allocUnsafeSlow(blockBytes);

  /** @throws ExopoolError `EXOPOOL_IO` when there is no memory for the cache. */
  constructor({ cacheBytes }: StoreIndexOptions) {
    const [binding, stream] = [tableBinding(), lookupStream()];
    try {
      this.#native = binding.openStoreIndex(cacheBytes, this.#key, stream);
    } catch (cause) {
      const message = `there is no memory for a cache of ${cacheBytes} bytes; lower cacheBytes`;
      throw new ExopoolError('EXOPOOL_IO', message, { cause });
    }
    this.#native.setBlock(this.#block);
  }

  /**
   * The value, or `undefined` for a key that is known to be absent.
   * @throws ExopoolError `EXOPOOL_INVALID` unless the key has 1 to 511 bytes.
   */
  find(key: Uint8Array | string): Buffer | undefined | typeof notInMemory {
    return this.#take(this.#native.find(this.#putKey(key), noToken));
  }

  /** The value. Errors as {@link find}; `EXOPOOL_CORRUPT` and `EXOPOOL_IO` with file and offset. */
  get(key: Uint8Array | string): Promise<Buffer | undefined> {
    const found = this.#native.find(this.#putKey(key), nextToken());
    if (found !== code.notInMemory) return Promise.resolve(this.#take(found) as Buffer | undefined);
    this.#flushLater();
    return awaitAnswer();
  }

  /** As {@link get}, without a promise: what is not in memory is read by this thread, which waits for the disk. */
  getSync(key: Uint8Array | string): Buffer | undefined {
    const length = this.#putKey(key);
    const found = this.#take(this.#native.find(length, noToken));
    if (found !== notInMemory) return found;
    const { value, failure } = this.#native.readNow(length);
    if (failure !== undefined) throw tableError('', failure);
    return value;
  }

  /**
   * The values of `keys`, in order, in one crossing; without a promise when all are in memory. They share one block.
   * @throws ExopoolError as {@link get}; also `EXOPOOL_INVALID` when the values exceed 1 GiB.
   */
  getMany(keys: readonly (Uint8Array | string)[]): (Buffer | undefined)[] | Promise<(Buffer | undefined)[]> {
    const answer = this.#native.getMany(this.#pack(keys), true);
    return answer instanceof Promise
      ? answer.then((packedValues) => unpack(packedValues, keys.length))
      : unpack(answer, keys.length);
  }

  /** As {@link getMany} from the tables, past memory, where nothing is put either: see {@link admit}. */
  async lookUpMany(keys: readonly (Uint8Array | string)[]): Promise<(Buffer | undefined)[]> {
    return unpack(await this.#native.getMany(this.#pack(keys), false), keys.length);
  }

  /** Counts writes to `key` and to some other keys. */
  epoch(key: Uint8Array | string): number {
    return this.#native.epoch(this.#putKey(key));
  }

  /** Caches what a fetch found that began in `epoch`, taken in the turn of a `find`. @returns false when the key was written since: it may be old. */
  admit(key: Uint8Array | string, epoch: number, value: Buffer | undefined): boolean {
    return this.#native.admit(this.#putKey(key), epoch, value);
  }

  /** To be called in the turn in which `keys` are written. */
  written(keys: readonly Uint8Array[]): void {
    this.#native.written(this.#pack(keys));
  }

  /** To be called in the turn in which any key may get another value. */
  writtenAll(): void {
    this.#native.writtenAll();
  }

  /** The newest first. Lookups under way keep those of before. They are read by `pread` until {@link setEngines}. */
  setTables(tables: readonly IndexedTable[]): void {
    this.#native.setTables(
      tables.map(({ file }) => file.handle),
      tables.flatMap(({ smallestKey, largestKey }) => [smallestKey, largestKey]),
    );
  }

  /** By which engine each table is read from now on, in the order of {@link setTables}. */
  setEngines(engines: readonly TableEngine[]): void {
    this.#native.setEngines(engines.map(engineNumber));
  }

  /** The addon's memtables, the newest first. */
  setMemtables(memtables: readonly object[]): void {
    this.#native.setMemtables(memtables);
  }

  /**
   * To be awaited before the first lookup in a table: its interior pages count in the budget, and its filter is read if
   * there is room for it. A filter that cannot be read is done without; who verifies the table finds it.
   */
  async prepare(file: TableFile): Promise<void> {
    await this.#native.prepareTable(file.handle);
  }

  /** Names the cache of leaf pages for scans: see {@link ScanSources}. */
  get leaves(): object {
    return this.#native.leaves;
  }

  stats(): StoreIndexStats {
    return this.#native.stats();
  }

  /** Lets go of tables and memory. Lookups under way finish; nothing may be asked any more. */
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

  /** Leaves the key where the addon finds it. @returns its length. */
  #putKey(key: Uint8Array | string): number {
    const length = typeof key === 'string' ? putText(key, this.#key) : putBytes(key, this.#key);
    if (length === 0 || length > keyMaxBytes) throw wrongLength(length);
    return length;
  }

  /** What `find` answered. */
  #take(found: number): Buffer | undefined | typeof notInMemory {
    if (found >= 0) {
      const at = this.#blockAt;
      this.#blockAt = at + ((found + 7) & ~7);
      return this.#block.subarray(at, at + found);
    }
    if (found === code.absent) return undefined;
    if (found === code.notInMemory) return notInMemory;
    if (found === code.large) return this.#native.large();
    this.#block = Buffer.allocUnsafeSlow(blockBytes);
    this.#blockAt = 0;
    return this.#take(this.#native.setBlock(this.#block));
  }

  /** Keys end to end, each after its length. */
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

/** @returns the length, which may be more than a key has; nothing is written past the buffer. */
function putText(text: string, into: Buffer): number {
  const { length } = text;
  if (length > keyMaxBytes) return Buffer.byteLength(text);
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
    throw new ExopoolError('EXOPOOL_INVALID', `a key is a Buffer or a string, not ${given}`);
  }
  const { length } = bytes;
  if (length > keyMaxBytes) return length;
  if (length > shortKeyBytes) into.set(bytes);
  else for (let at = 0; at < length; at += 1) into[at] = bytes[at]!;
  return length;
}

function wrongLength(length: number): ExopoolError {
  return new ExopoolError('EXOPOOL_INVALID', `a key has 1 to ${keyMaxBytes} bytes, not ${length}`);
}
