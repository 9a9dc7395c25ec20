/** What a store can be asked, with limits checked at the door. */
import { resolve } from 'node:path';
import { ExopoolError, type CacheTier } from '@exopool/shared';
import { integer } from './base/integer.js';
import { parseEngineName, type EngineName } from './tables/engine.js';
import { copyBytes, type Bytes } from './format/row-key.js';
import type { Bound, KeyRange } from './format/key-range.js';

export interface StoreOptions {
  /** Lookup engine. Default `auto`. A forced engine that cannot run is refused with `EXOPOOL_UNSUPPORTED`. */
  readonly engine?: EngineName;
  /** Opens without the lock; any number of processes may. Sees the store as it was when opened. Default false. */
  readonly readOnly?: boolean;
  /** Makes the folder and an empty store in it. Default true. */
  readonly createIfMissing?: boolean;
  /**
   * Memory for reads, bytes: interior pages and filters of tables, up to half of it but at least 4 MiB, and cached rows
   * and leaf pages; 0 for none of the latter. Default 64 MiB.
   */
  readonly cacheBytes?: number;
  /**
   * A cache between the row cache and the tables, such as leased memory. It must be empty, or hold nothing but what
   * this store put there with no write to the store since.
   */
  readonly cacheTier?: CacheTier | undefined;
  /** Lets `pread` and `io-uring` go past the kernel's page cache where the file system allows it. Default true. */
  readonly direct?: boolean;
  /**
   * Unflushed writes kept in memory before they go into a table, bytes. Twice that while they are on their way. Default
   * 32 MiB.
   */
  readonly memtableBytes?: number;
  /**
   * Bytes a second that compaction writes at most, while it keeps up; it reads as much. Default 64 MiB/s; at least
   * 64 KiB/s.
   */
  readonly compactionBytesPerSecond?: number;
  /** {@link WriteOptions.sync} of writes that do not say. Default true. */
  readonly sync?: boolean;
}

export interface WriteOptions {
  /**
   * True: acknowledged once it is on disk, so that it survives power loss. False: acknowledged once it is in memory;
   * it is handed to the kernel within 10 ms, and a crash may lose the last of such writes.
   */
  readonly sync?: boolean;
}

export interface RangeOptions<Key = Bytes> {
  /** Keys that start with this; not together with any of the bounds. With JSON keys a string, which finds strings. */
  readonly prefix?: Key;
  /** Keys greater than this. */
  readonly gt?: Key;
  /** Keys greater than or equal to this; not together with `gt`. */
  readonly gte?: Key;
  /** Keys less than this. */
  readonly lt?: Key;
  /** Keys less than or equal to this; not together with `lt`. */
  readonly lte?: Key;
  /** From the greatest key to the smallest. Default false. */
  readonly reverse?: boolean;
  /** Entries at most. Default: all. */
  readonly limit?: number;
  /** Ends the iteration with `EXOPOOL_ABORTED`. */
  readonly signal?: AbortSignal;
  /** See {@link KeyRangeOptions}. */
  readonly keysOnly?: false;
}

/** A range of keys without their values: values outside of the leaves are not read. */
export interface KeyRangeOptions<Key = Bytes> extends Omit<RangeOptions<Key>, 'keysOnly'> {
  readonly keysOnly: true;
}

const mebibyte = 1024 * 1024;
/** The largest memory setting: 1 TiB; anything above is a slip of the unit. */
const memoryBytesMax = 1024 * 1024 * mebibyte;

export type CheckedOptions = Required<StoreOptions>;

export function checkOptions(options: StoreOptions): CheckedOptions {
  return {
    engine: parseEngineName(options.engine ?? 'auto'),
    readOnly: options.readOnly ?? false,
    createIfMissing: options.createIfMissing ?? true,
    cacheBytes: integer('cacheBytes', options.cacheBytes ?? 64 * mebibyte, 0, memoryBytesMax),
    cacheTier: options.cacheTier,
    direct: options.direct ?? true,
    memtableBytes: integer('memtableBytes', options.memtableBytes ?? 32 * mebibyte, 1, memoryBytesMax),
    compactionBytesPerSecond: integer(
      'compactionBytesPerSecond',
      options.compactionBytesPerSecond ?? 64 * mebibyte,
      mebibyte / 16,
      memoryBytesMax,
    ),
    sync: options.sync ?? true,
  };
}

/**
 * The absolute path of a folder: the process may go to another one later (`process.chdir`), the store stays.
 * @throws ExopoolError `EXOPOOL_INVALID` for what is no path.
 */
export function checkFolder(path: unknown): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return resolve(path);
  const given = typeof path === 'string' ? JSON.stringify(path) : kindOf(path);
  throw new ExopoolError('EXOPOOL_INVALID', `give the path of a folder, not ${given}`);
}

/** @throws ExopoolError `EXOPOOL_INVALID` unless `list` is an array. `what` it is one of. */
export function requireArray(list: unknown, what: string): void {
  if (Array.isArray(list)) return;
  throw new ExopoolError('EXOPOOL_INVALID', `give an array of ${what}, not ${kindOf(list)}`);
}

/** @throws ExopoolError `EXOPOOL_INVALID` unless `entries` can be iterated. */
export function requireIterable(entries: unknown): void {
  const isObject = typeof entries === 'object' && entries !== null;
  if (isObject && (Symbol.iterator in entries || Symbol.asyncIterator in entries)) return;
  const message = `give an iterable or async iterable of pairs [key, value], not ${kindOf(entries)}`;
  throw new ExopoolError('EXOPOOL_INVALID', message);
}

function kindOf(given: unknown): string {
  return given === null ? 'null' : typeof given;
}

export interface RangeQuery extends KeyRange {
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

export function checkRange(options: RangeOptions | KeyRangeOptions): RangeQuery {
  const limit = options.limit ?? Infinity;
  const bounds = {
    lower: bound('gt', options.gt, 'gte', options.gte),
    upper: bound('lt', options.lt, 'lte', options.lte),
  };
  return {
    ...(options.prefix === undefined ? bounds : prefixBounds(options.prefix, bounds)),
    reverse: options.reverse ?? false,
    keysOnly: options.keysOnly ?? false,
    limit: limit === Infinity ? limit : integer('limit', limit, 0, Number.MAX_SAFE_INTEGER),
    signal: options.signal,
  };
}

/** The keys that start with `prefix`: up to the next prefix of that length, without those of its last bytes that are 255. */
function prefixBounds(
  prefix: Bytes,
  others: Pick<KeyRange, 'lower' | 'upper'>,
): Pick<KeyRange, 'lower' | 'upper'> {
  if (others.lower !== undefined || others.upper !== undefined) {
    throw new ExopoolError('EXOPOOL_INVALID', 'give prefix or the bounds gt, gte, lt, lte, not both');
  }
  const key = copyBytes(prefix, 'prefix');
  const end = Buffer.from(key.subarray(0, 1 + key.findLastIndex((byte) => byte < 255)));
  if (end.length > 0) end[end.length - 1]! += 1;
  return {
    lower: { key, inclusive: true },
    upper: end.length === 0 ? undefined : { key: end, inclusive: false },
  };
}

function bound(
  open: string,
  exclusive: Bytes | undefined,
  closed: string,
  inclusive: Bytes | undefined,
): Bound | undefined {
  if (exclusive !== undefined && inclusive !== undefined) {
    throw new ExopoolError('EXOPOOL_INVALID', `give ${open} or ${closed}, not both`);
  }
  if (exclusive !== undefined) return { key: copyBytes(exclusive, open), inclusive: false };
  if (inclusive !== undefined) return { key: copyBytes(inclusive, closed), inclusive: true };
  return undefined;
}
