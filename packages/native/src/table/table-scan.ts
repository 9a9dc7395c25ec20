/**
 * Scans: native threads merge the entries of memtables, sorted runs and tables in order of their keys.
 *
 * Entries cross into JavaScript in batches, each one block of memory. The first batch is small, as most ranges are. Each
 * further batch is larger. From the second one on, the next batch is made while the caller uses the current one. When a
 * cache has all of the first batch, the calling thread makes it at once.
 */
import { ExopoolError } from '@exopool/shared';
import { EXO_PAGE_SIZE, numberTypes, scanHeaderBytes } from '../contracts.js';
import { loadBinding } from '../load-binding.js';
import type { Memtable, MemtableHandle } from './memtable.js';
import type { SortedRun } from './sorted-run.js';
import type { StoreIndex } from './store-index.js';
import { tableError, type TableFailure, type TableHandle } from './table-binding.js';
import type { TableFile } from './table-file.js';

/** Names what the addon holds for one scan. */
type ScanHandle = object;

/** The sources of a scan, each list newest first. Runs are older than memtables, and tables are older than runs. */
export interface ScanSources {
  readonly memtables?: readonly Memtable[];
  /** The scan skips writes of memtables with greater sequence numbers. Default: it skips none. */
  readonly view?: number;
  /** Runs are always read from their first entry to their last. */
  readonly runs?: readonly SortedRun[];
  readonly tables?: readonly TableFile[];
  /** The first batch takes leaf pages from this cache, and puts those there that it had to read. Default: none. */
  readonly cache?: StoreIndex | undefined;
}

/** One end of a range. */
export interface ScanBound {
  readonly key: Buffer;
  readonly inclusive: boolean;
}

/** Which entries a scan gives, and in which order. */
export interface ScanRange {
  readonly lower?: ScanBound | undefined;
  readonly upper?: ScanBound | undefined;
  /** From the greatest key to the smallest. */
  readonly reverse?: boolean | undefined;
  /** Does not read values: all come out empty. */
  readonly keysOnly?: boolean | undefined;
  /** Gives at most this many entries. Default: no limit. */
  readonly limit?: number | undefined;
}

/** A number that may stand in values. */
export type NumberType = (typeof numberTypes)[number];

/** Totals over the entries of a range. */
export interface ScanTotals {
  readonly count: number;
  /** Entries with a value that is long enough to hold the number. */
  readonly withField: number;
  readonly sum: number;
  /** `Infinity` without any number; `max` is `-Infinity` then. */
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
  /** The cache of leaf pages that the first batch uses. */
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
  /** No promise when memory has all of the first batch. */
  scanBatch(scan: ScanHandle, bytes: number): PackedBatch | Promise<PackedBatch>;
  scanAggregate(
    scan: ScanHandle,
    type: number,
    offset: number,
  ): Promise<ScanFailure & ScanTotals & { done: boolean }>;
}

const binding = (): ScanBinding => loadBinding() as unknown as ScanBinding;

/** Most bytes of one read of a table: a disk is near its full rate with this. */
const readBytesMax = 256 * 1024;
/** Bytes of the first batch: a hundred entries of half a KiB. */
const firstBatchBytes = 64 * 1024;
const batchBytesMax = 256 * 1024;
/** Stands for no number type in the addon. */
const countOnly = numberTypes.length;

/** What the addon needs for a scan. @param readBytes memory for the reads of each table; give less with many tables. */
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
    readPagesMax: Math.max(1, Math.floor(readBytes / EXO_PAGE_SIZE)),
    leaves: sources.cache?.leaves,
  };
}

/** Entries of one batch. They share one block of memory: copy an entry to keep it for long. */
export type ScanBatch = readonly (readonly [key: Buffer, value: Buffer])[];

/**
 * The live entries of a range, batch by batch. The caller must close it.
 * @example
 * ```ts
 * import { BatchScan, TableFile } from '@exopool/native/internal';
 *
 * const scan = new BatchScan({ tables: [TableFile.open('table')] }, { limit: 100 });
 * for (let batch = await scan.next(); batch !== undefined; batch = await scan.next())
 *   for (const [key, value] of batch) console.log(key, value);
 * scan.close();
 * ```
 */
export class BatchScan {
  #scan: ScanHandle | undefined;
  #bytes = firstBatchBytes;
  /** The batch that is being made while the caller uses the one before it. */
  #ahead: Promise<PackedBatch> | undefined;

  /** Opens the scan; it reads nothing yet. @throws ExopoolError `EXOPOOL_CLOSED` when a source is closed. */
  constructor(sources: ScanSources, range: ScanRange) {
    if (range.limit !== 0) this.#scan = binding().openScan(scanSpec(sources, range));
  }

  /**
   * The next batch; `undefined` at the end. Await each call before the next one.
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

  /** Releases the sources. Idempotent. */
  close(): void {
    if (this.#scan !== undefined) binding().closeScan(this.#scan);
    this.#scan = undefined;
  }

  #startAhead(): void {
    if (this.#scan === undefined) return;
    this.#ahead = Promise.resolve(binding().scanBatch(this.#scan, this.#bytes));
    // The caller may never ask for this batch.
    this.#ahead.catch(() => undefined);
  }
}

/**
 * {@link BatchScan} as an async generator, which closes itself.
 * @param mayGoOn called after each wait; it throws to stop the scan.
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

/** Counts entries; with `field` also sum, minimum and maximum of a number in the values. Throws as {@link BatchScan}. */
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
    const keyAt = at + scanHeaderBytes;
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

/** The typed error for a scan that failed at the file `path`. Without a path, memory ran out. */
export function scanError(failure: TableFailure, path: string | undefined): ExopoolError {
  if (path !== undefined && path !== '') return tableError(path, failure);
  return new ExopoolError('EXOPOOL_IO', 'there is no memory for the scan; free some, and try again');
}
