/** The options of a store and of its ranges, with their checks. */
import { resolve } from 'node:path';
import { ExopoolError, type CacheTier } from '@exopool/shared';
import { integer } from './base/integer.js';
import { parseEngineName, type EngineName } from './tables/engine.js';
import { copyBytes, type Bytes } from './format/row-key.js';
import type { Bound, KeyRange } from './format/key-range.js';

/** Options of {@link Store.open}. */
export interface StoreOptions {
  /** The lookup engine. Default `auto`. If another one cannot run here, `open` throws `EXOPOOL_UNSUPPORTED`. */
  readonly engine?: EngineName;
  /**
   * Opens the store for reading only, without its lock; any number of processes may. It shows the store as it was when
   * it was opened. Default false.
   */
  readonly readOnly?: boolean;
  /** Creates the folder and an empty store if there is none. Default true. */
  readonly createIfMissing?: boolean;
  /**
   * Memory for reads, bytes. Interior pages and filters of the tables take up to half of it, but at least 4 MiB; cached
   * rows and leaf pages take the rest. 0 caches no rows and no leaf pages. Default 64 MiB.
   */
  readonly cacheBytes?: number;
  /**
   * A cache between the row cache and the tables, such as leased memory. It must be empty, unless this store filled it
   * and no write was made to the store since. Default: none.
   */
  readonly cacheTier?: CacheTier | undefined;
  /**
   * Lets `pread` and `io-uring` bypass the kernel's page cache (O_DIRECT) where the file system allows it. Default true.
   */
  readonly direct?: boolean;
  /**
   * Size of the memtable, bytes: when its writes take that much memory, they are flushed to a table. During a flush there
   * are two memtables. Default 32 MiB.
   */
  readonly memtableBytes?: number;
  /**
   * The most that compaction writes, bytes per second; it reads as much. There is no limit while compaction is behind
   * and slows writers down. At least 64 KiB/s. Default 64 MiB/s.
   */
  readonly compactionBytesPerSecond?: number;
  /** {@link WriteOptions.sync} of the writes that do not give it. Default true. */
  readonly sync?: boolean;
}

/** Options of one write. */
export interface WriteOptions {
  /**
   * `true`: the write is acknowledged once it is on disk, and survives power loss. `false`: it is acknowledged once it is
   * in memory, and handed to the kernel within 10 ms; a crash may lose the last of such writes. Default: `sync` of the
   * store.
   */
  readonly sync?: boolean;
}

/** A range of keys, and how to walk it. Without bounds it is the whole store. */
export interface RangeOptions<Key = Bytes> {
  /**
   * Keys that start with this. It excludes the bounds below. For JSON keys it must be a string, and finds strings.
   */
  readonly prefix?: Key;
  /** Keys greater than this. */
  readonly gt?: Key;
  /** Keys greater than or equal to this. It excludes `gt`. */
  readonly gte?: Key;
  /** Keys less than this. */
  readonly lt?: Key;
  /** Keys less than or equal to this. It excludes `lt`. */
  readonly lte?: Key;
  /** From the greatest key to the smallest. Default false. */
  readonly reverse?: boolean;
  /** The most entries to return. Default: all. */
  readonly limit?: number;
  /** When it fires, the iteration throws `EXOPOOL_ABORTED`. */
  readonly signal?: AbortSignal;
  /** See {@link KeyRangeOptions}. */
  readonly keysOnly?: false;
}

/** As {@link RangeOptions}, but returns keys without values. Values outside of the leaf pages are not read. */
export interface KeyRangeOptions<Key = Bytes> extends Omit<RangeOptions<Key>, 'keysOnly'> {
  readonly keysOnly: true;
}

const mebibyte = 1024 * 1024;
/** The largest memory setting: 1 TiB. A larger one is most likely a wrong unit. */
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
 * Makes the path of a folder absolute: the process may change its working directory later, the store must not follow.
 * @throws ExopoolError `EXOPOOL_INVALID` unless it is a path.
 */
export function checkFolder(path: unknown): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return resolve(path);
  const given = typeof path === 'string' ? JSON.stringify(path) : kindOf(path);
  throw new ExopoolError('EXOPOOL_INVALID', `give the path of a folder, not ${given}`);
}

/** @throws ExopoolError `EXOPOOL_INVALID` unless `list` is an array of `what`. */
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

/**
 * The keys that start with `prefix`. The upper bound is the prefix with its last byte incremented; trailing bytes of 255
 * are cut off before, because they cannot be incremented.
 */
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
