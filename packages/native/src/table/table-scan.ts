/**
 * Scans: the entries of memtables, sorted runs and tables, merged and in order, walked by native threads.
 *
 * Entries cross into JavaScript in batches, each one block of memory. The first batch is small, as most ranges are, and
 * each further one larger; from the second one on the next batch is made while the caller uses this one. When a cache
 * has all of the first one, it is made at once, on the calling thread.
 */
import { ExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';
import type { Memtable, MemtableHandle } from './memtable.js';
import type { SortedRun } from './sorted-run.js';
import type { StoreIndex } from './store-index.js';
import { tableError, type TableFailure, type TableHandle } from './table-binding.js';
import { pageBytes, type TableFile } from './table-file.js';

/** Names what the addon holds for one scan. */
type ScanHandle = object;

/** What a scan reads, each list the newest first; runs are older than memtables, and tables older than runs. */
export interface ScanSources {
  readonly memtables?: readonly Memtable[];
  /** Writes of memtables with greater sequence numbers do not show. Default: all show. */
  readonly view?: number;
  /** Always read from their first entry to their last. */
  readonly runs?: readonly SortedRun[];
  readonly tables?: readonly TableFile[];
  /** Its leaf pages save the first batch from reading tables; what that batch read goes there. Default: none. */
  readonly cache?: StoreIndex | undefined;
}

export interface ScanBound {
  readonly key: Buffer;
  readonly inclusive: boolean;
}

export interface ScanRange {
  readonly lower?: ScanBound | undefined;
  readonly upper?: ScanBound | undefined;
  /** From the greatest key to the smallest. */
  readonly reverse?: boolean | undefined;
  /** Values outside of the leaves are not read: all come out empty. */
  readonly keysOnly?: boolean | undefined;
  /** Entries at most. Default: no limit. */
  readonly limit?: number | undefined;
}

/** Numbers that may stand in values, in the order of the addon's `enum class NumberType`. */
export const numberTypes = ['u8', 'u16le', 'u32le', 'i32le', 'f32le', 'f64le'] as const;
export type NumberType = (typeof numberTypes)[number];

/** Of the entries so far. */
export interface ScanTotals {
  readonly count: number;
  /** Entries whose value is long enough to have the number. */
  readonly withField: number;
  readonly sum: number;
  /** Infinity without any number. */
  readonly min: number;
  readonly max: number;
}

/** What the addon takes for a scan. */
export interface ScanSpec {
  readonly memtables: readonly MemtableHandle[];
  readonly view: number;
  readonly runs: readonly object[];
  readonly tables: readonly TableHandle[];
  readonly paths: readonly string[];
  readonly lower: Buffer | undefined;
  readonly lowerInclusive: boolean;
  readonly upper: Buffer | undefined;
  readonly upperInclusive: boolean;
  readonly reverse: boolean;
  readonly keysOnly: boolean;
  readonly limit: number;
  readonly readPagesMax: number;
  /** The cache that leaves are found in, and left in by the first batch. */
  readonly leaves: object | undefined;
}

export interface ScanFailure {
  readonly failure?: TableFailure;
  readonly path?: string;
}

type PackedBatch = ScanFailure & {
  readonly done: boolean;
  readonly count: number;
  readonly packed: Buffer;
};

interface ScanBinding {
  openScan(spec: ScanSpec): ScanHandle;
  closeScan(scan: ScanHandle): void;
  /** Without a promise when memory has all of the first batch. */
  scanBatch(scan: ScanHandle, bytes: number): PackedBatch | Promise<PackedBatch>;
  scanAggregate(
    scan: ScanHandle,
    type: number,
    offset: number,
  ): Promise<ScanFailure & ScanTotals & { done: boolean }>;
}

const binding = (): ScanBinding => loadBinding() as unknown as ScanBinding;

/** Bytes of one read of a table at most: a disk is near its full rate there. */
const readBytesMax = 256 * 1024;
/** Bytes of the first batch: a hundred entries of half a KiB. */
const firstBatchBytes = 64 * 1024;
const batchBytesMax = 256 * 1024;
/** Stands for no number type in the addon. */
const countOnly = numberTypes.length;
/** Bytes of the two lengths in front of each entry. */
const entryHeaderBytes = 8;

/** @param readBytes memory for each table's reads; fewer when there are many tables. */
export function scanSpec(sources: ScanSources, range: ScanRange, readBytes = readBytesMax): ScanSpec {
  const tables = sources.tables ?? [];
  return {
    memtables: (sources.memtables ?? []).map(({ handle }) => handle),
    view: sources.view ?? Number.MAX_SAFE_INTEGER,
    runs: (sources.runs ?? []).map(({ handle }) => handle),
    tables: tables.map(({ handle }) => handle),
    paths: tables.map(({ path }) => path),
    lower: range.lower?.key,
    lowerInclusive: range.lower?.inclusive ?? false,
    upper: range.upper?.key,
    upperInclusive: range.upper?.inclusive ?? false,
    reverse: range.reverse ?? false,
    keysOnly: range.keysOnly ?? false,
    limit: range.limit ?? Infinity,
    readPagesMax: Math.max(1, Math.floor(readBytes / pageBytes)),
    leaves: sources.cache?.leaves,
  };
}

/** Entries of one batch. They are parts of one block of memory: copy what is kept for long. */
export type ScanBatch = readonly (readonly [key: Buffer, value: Buffer])[];

/** The entries of a range, without those that were deleted, batch by batch. Close it. */
export class BatchScan {
  #scan: ScanHandle | undefined;
  #bytes = firstBatchBytes;
  /** The batch that is being made while the caller uses the one before it. */
  #ahead: Promise<PackedBatch> | undefined;

  /** @throws ExopoolError `EXOPOOL_CLOSED` when a source is. */
  constructor(sources: ScanSources, range: ScanRange) {
    if (range.limit !== 0) this.#scan = binding().openScan(scanSpec(sources, range));
  }

  /**
   * The next batch; `undefined` at the end. To be called again only when the promise has settled.
   * @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_IO`, naming file and offset.
   */
  async next(): Promise<ScanBatch | undefined> {
    while (this.#scan !== undefined) {
      const isFirst = this.#bytes === firstBatchBytes;
      const batch = this.#ahead ?? binding().scanBatch(this.#scan, this.#bytes);
      this.#ahead = undefined;
      const { done, count, packed } = unwrap(await batch);
      this.#bytes = Math.min(this.#bytes * 2, batchBytesMax);
      if (done) this.close();
      else if (!isFirst) this.#startAhead();
      if (count > 0) return unpack(packed, count);
    }
    return undefined;
  }

  /** Lets go of what it reads. Idempotent. */
  close(): void {
    if (this.#scan !== undefined) binding().closeScan(this.#scan);
    this.#scan = undefined;
  }

  #startAhead(): void {
    if (this.#scan === undefined) return;
    this.#ahead = Promise.resolve(binding().scanBatch(this.#scan, this.#bytes));
    // Nobody may come to wait for it.
    this.#ahead.catch(() => undefined);
  }
}

/**
 * As {@link BatchScan}.
 * @param mayGoOn called after each wait; throws to stop.
 */
export async function* scanBatches(
  sources: ScanSources,
  range: ScanRange,
  mayGoOn: () => void,
): AsyncGenerator<ScanBatch> {
  const scan = new BatchScan(sources, range);
  try {
    for (let batch = await scan.next(); batch !== undefined; batch = await scan.next()) {
      mayGoOn();
      yield batch;
      mayGoOn();
    }
    mayGoOn();
  } finally {
    scan.close();
  }
}

/** Count, and with `field` sum, least and greatest of a number in the values. Errors as {@link BatchScan}. */
export async function scanTotals(
  sources: ScanSources,
  range: ScanRange,
  field: { readonly type: NumberType; readonly offset: number } | undefined,
  mayGoOn: () => void,
): Promise<ScanTotals> {
  const none = { count: 0, withField: 0, sum: 0, min: Infinity, max: -Infinity };
  if (range.limit === 0) return none;
  const scan = binding().openScan(scanSpec({ ...sources, cache: undefined }, range));
  const type = field === undefined ? countOnly : numberTypes.indexOf(field.type);
  try {
    for (;;) {
      const { done, ...totals } = unwrap(await binding().scanAggregate(scan, type, field?.offset ?? 0));
      mayGoOn();
      if (done) return totals;
    }
  } finally {
    binding().closeScan(scan);
  }
}

function unpack(packed: Buffer, count: number): [Buffer, Buffer][] {
  const entries = new Array<[Buffer, Buffer]>(count);
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const keyAt = at + entryHeaderBytes;
    const valueAt = keyAt + packed.readUInt32LE(at);
    const end = valueAt + packed.readUInt32LE(at + 4);
    entries[index] = [packed.subarray(keyAt, valueAt), packed.subarray(valueAt, end)];
    at = end;
  }
  return entries;
}

function unwrap<T extends ScanFailure>(result: T): T {
  if (result.failure === undefined) return result;
  throw scanError(result.failure, result.path);
}

/** The typed error for a scan that failed at the file `path`; without one it was memory that failed. */
export function scanError(failure: TableFailure, path: string | undefined): ExopoolError {
  if (path !== undefined && path !== '') return tableError(path, failure);
  return new ExopoolError('EXOPOOL_IO', 'there is no memory for the scan; free some, and try again');
}
