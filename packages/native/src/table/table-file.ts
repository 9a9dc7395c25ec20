/**
 * One open table file: batches of point lookups by a chosen engine, and reads of whole pages.
 *
 * A batch crosses into native code once. Its keys are packed there, native threads walk the chains, and all values
 * come back in one block of memory. The calling thread walks a small batch of `page-cache-bpf` itself, as far as its
 * pages are mapped: it waits for nothing then, and waking a thread would take longer.
 *
 * ```
 *   lookupMany(keys) -> [ packed keys ] -> worker threads: pread | one BPF_PROG_RUN for 64 chains, or the ring's
 *                                               |
 *   (Buffer | undefined)[] <- slices <- [ lengths | values ]
 * ```
 *
 * Lookups in flight hold the file, so `close` does not wait.
 */
import { ExopoolError } from '@exopool/shared';
import { EXO_KEY_MAX, EXO_PAGE_SIZE, EXO_VALUE_MAX, valueLength } from '../contracts.js';
import { requireEngine } from './engine-support.js';
import { ExtentPin } from './extent-pin.js';
import { engineNumber, type TableEngine } from './table-engine.js';
import { tableBinding, tableError } from './table-binding.js';
import type { LookupCounters, Packed, TableHandle, TableHeader } from './table-binding.js';

/** Most keys of one call: 64 Ki of the largest keys take 32 MiB of packed memory, and more gain nothing. */
const lookupMaxKeys = 65_536;
/** Most pages of one read: the longest run is a value of 16 MiB. */
const readMaxPages = EXO_VALUE_MAX / EXO_PAGE_SIZE;
/** Bytes of a value's length in front of the packed values. */
const lengthBytes = 4;

/** How a table file is opened. */
export interface TableFileOptions {
  /** Read past the page cache (O_DIRECT) at user level; buffered where the file system refuses. Default false. */
  readonly direct?: boolean;
  /** Keep interior pages in memory, up to 64 MiB, so that chains begin at the first page that is not there. Default true. */
  readonly cacheInterior?: boolean;
}

/**
 * An open table file. Close it.
 * @example
 * ```ts
 * import { TableFile } from '@exopool/native/internal';
 *
 * const table = TableFile.open('table');
 * console.log(await table.lookupMany([Buffer.from('key')], 'pread'));
 * table.close();
 * ```
 */
export class TableFile {
  readonly path: string;
  readonly header: TableHeader;
  /** Whether `pread` and `io-uring` read past the page cache. */
  readonly direct: boolean;
  #handle: TableHandle | undefined;
  #pin: ExtentPin | undefined;

  private constructor(path: string, header: TableHeader, direct: boolean, handle: TableHandle) {
    this.path = path;
    this.header = header;
    this.direct = direct;
    this.#handle = handle;
  }

  /**
   * Opens a table file for reading.
   * @throws `EXOPOOL_NOT_FOUND`, `EXOPOOL_CORRUPT` or `EXOPOOL_VERSION`, naming the file
   */
  static open(path: string, options: TableFileOptions = {}): TableFile {
    const opened = tableBinding().openTable(path, options.direct ?? false, options.cacheInterior ?? true);
    if (opened.failure !== undefined) throw tableError(path, opened.failure);
    return new TableFile(path, opened.header, opened.direct, opened.handle);
  }

  /**
   * Looks up keys, in any order.
   *
   * The values of one call share one block of memory: copy a value to keep it for long.
   *
   * @returns one result for each key. `undefined`: the table does not have it. `null`: the table has a tombstone for it,
   *   so the key is deleted and older tables must not be asked.
   * @throws `EXOPOOL_INVALID` (a key over 511 bytes), `EXOPOOL_UNSUPPORTED` (the engine cannot run here, or not on this file),
   * `EXOPOOL_CORRUPT` or `EXOPOOL_IO`, naming file and offset, `EXOPOOL_CLOSED`
   */
  async lookupMany(keys: readonly Buffer[], engine: TableEngine): Promise<(Buffer | null | undefined)[]> {
    const handle = this.#open();
    requireEngine(engine);
    requireKeys(keys);
    if (engine === 'nvme-bpf') this.pin();
    if (engine === 'driver') this.attachToDriver();
    if (keys.length === 0) return [];
    const packed = this.#unwrap(await tableBinding().lookupTable(handle, engineNumber(engine), keys));
    let at = keys.length * lengthBytes;
    return keys.map((_, index) => {
      const length = packed.readInt32LE(index * lengthBytes);
      if (length < 0) return length === valueLength.deleted ? null : undefined;
      return packed.subarray(at, (at += length));
    });
  }

  /**
   * Reads the page at `offset`, and checks its checksum, its table and its place.
   * @throws `EXOPOOL_INVALID`, `EXOPOOL_CORRUPT`, `EXOPOOL_IO`, `EXOPOOL_CLOSED`
   */
  async readPage(offset: number): Promise<Buffer> {
    return this.#read(offset, 1, true);
  }

  /**
   * Reads `count` pages (at most 4096) from `offset` without checks: runs of value pages have their checksums elsewhere.
   * @throws `EXOPOOL_INVALID`, `EXOPOOL_CORRUPT` (the file has become shorter), `EXOPOOL_IO`, `EXOPOOL_CLOSED`
   */
  async readPages(offset: number, count: number): Promise<Buffer> {
    return this.#read(offset, count, false);
  }

  /**
   * Share of the file that is in the page cache, 0 to 1, from `samples` pages (default 256) spread evenly over it.
   * Linux tells only users that own the file or may write to it. To others everything looks resident.
   */
  residentShare(samples = 256): number {
    if (!Number.isInteger(samples) || samples < 1) {
      throw new ExopoolError('EXOPOOL_INVALID', `samples must be a whole number from 1, not ${samples}`);
    }
    const share = tableBinding().tableResidentShare(this.#open(), Math.min(samples, 2 ** 31));
    if (share < 0) throw tableError(this.path, { kind: 'io', number: -share, offset: 0, detail: '' });
    return share;
  }

  /** What an engine did on this table since it was opened. */
  counters(engine: TableEngine): LookupCounters {
    return tableBinding().tableCounters(this.#open(), engineNumber(engine));
  }

  /**
   * Keeps the file in its place on the device until {@link unpin} or {@link close}. {@link lookupMany} does so itself. Call
   * it before `nvme-bpf` reads the file in another way. Idempotent.
   * @throws `EXOPOOL_UNSUPPORTED` with the reason why the file cannot be read past the file system, `EXOPOOL_CLOSED`
   */
  pin(): void {
    const handle = this.#open();
    const binding = tableBinding();
    this.#pin ??= ExtentPin.take(
      this.path,
      () => binding.pinTable(handle),
      () => binding.unpinTable(handle),
    );
  }

  /** Lets the file be changed and removed again. `pread` answers lookups of `nvme-bpf` in flight. Idempotent. */
  unpin(): void {
    this.#pin?.release();
    this.#pin = undefined;
  }

  /**
   * Makes the file known to exopool.ko. {@link lookupMany} does so itself. Call it before `driver` reads the file in another
   * way. The file may still be removed. Idempotent.
   * @throws `EXOPOOL_UNSUPPORTED` with the reason why the module cannot read this file, `EXOPOOL_CLOSED`
   */
  attachToDriver(): void {
    const refusal = tableBinding().attachToDriver(this.#open());
    if (refusal !== '')
      throw new ExopoolError('EXOPOOL_UNSUPPORTED', `${this.path}: engine driver cannot read it: ${refusal}`);
  }

  /** Closes the file without waiting. Lookups in flight finish; later calls throw `EXOPOOL_CLOSED`. Idempotent. */
  close(): void {
    if (this.#handle === undefined) return;
    this.unpin();
    tableBinding().closeTable(this.#handle);
    this.#handle = undefined;
  }

  /** For other facades of the addon. @throws ExopoolError `EXOPOOL_CLOSED`. */
  get handle(): TableHandle {
    return this.#open();
  }

  #open(): TableHandle {
    if (this.#handle === undefined)
      throw new ExopoolError('EXOPOOL_CLOSED', `${this.path}: the table is closed; open it again`);
    return this.#handle;
  }

  async #read(offset: number, count: number, verify: boolean): Promise<Buffer> {
    const handle = this.#open();
    const inFile =
      Number.isInteger(count) && count >= 1 && offset + count * EXO_PAGE_SIZE <= this.header.fileSize;
    if (!inFile || count > readMaxPages || !Number.isInteger(offset / EXO_PAGE_SIZE) || offset < 0) {
      const message = `${this.path}: ${count} pages at offset ${offset} are not a run of at most ${readMaxPages} pages in it`;
      throw new ExopoolError('EXOPOOL_INVALID', message);
    }
    return this.#unwrap(await tableBinding().readTablePages(handle, offset, count, verify));
  }

  #unwrap({ packed, failure }: Packed): Buffer {
    if (failure !== undefined) throw tableError(this.path, failure);
    return packed!;
  }
}

function requireKeys(keys: readonly Buffer[]): void {
  if (keys.length > lookupMaxKeys) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `one call may look up ${lookupMaxKeys} keys, not ${keys.length}; split it`,
    );
  }
  for (const key of keys as readonly unknown[]) requireKey(key);
}

function requireKey(key: unknown): void {
  if (!Buffer.isBuffer(key)) throw new ExopoolError('EXOPOOL_INVALID', 'a key must be a Buffer');
  if (key.length > EXO_KEY_MAX) {
    throw new ExopoolError('EXOPOOL_INVALID', `a key may have ${EXO_KEY_MAX} bytes, not ${key.length}`);
  }
}
