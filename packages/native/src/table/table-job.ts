/** Writes a table file from the entries of a scan, on a native thread of its own. */
import { getSystemErrorName } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';
import { scanError, scanSpec, type ScanFailure, type ScanSources, type ScanSpec } from './table-scan.js';

/** How a table is written. */
export interface TableWriteOptions {
  /** The file must not exist. It is removed when anything fails. */
  readonly path: string;
  /** Every page repeats this, so that a stray page of another table is recognised. Take a random number. */
  readonly tableId: bigint;
  /** Unix time, milliseconds. */
  readonly createdMs: number;
  /** Whether the file is synced at the end. The caller syncs its folder. Default true. */
  readonly durable?: boolean | undefined;
  /** Leaves the file in the page cache. Default false. */
  readonly keepCached?: boolean | undefined;
  /** Gives the table a filter. Default true. */
  readonly filter?: boolean | undefined;
  /** Leaves deletions out, which is right only when there is no older table. Default false. */
  readonly dropTombstones?: boolean | undefined;
  /** Runs at low priority for disk and CPU. Default false. */
  readonly background?: boolean | undefined;
  /** Writes at most this many bytes a second. Default: no limit. */
  readonly bytesPerSecond?: number | undefined;
  /** Memory for the reads of each source table, bytes. Default 256 KiB. */
  readonly readBytes?: number | undefined;
}

/** A finished table. */
export interface WrittenTable {
  /** Number of entries, including deletions. */
  readonly entries: number;
  readonly bytes: number;
  /** Both keys are empty in a table without entries. */
  readonly smallestKey: Buffer;
  readonly largestKey: Buffer;
}

interface WriteResult extends ScanFailure {
  readonly cancelled?: boolean;
  readonly entries: number;
  readonly bytes: number;
  readonly smallest: Buffer;
  readonly largest: Buffer;
}

interface TableJobBinding {
  startWrite(scan: ScanSpec, options: object): { control: object; done: Promise<WriteResult> };
  writeProgress(control: object): { readonly entries: number; readonly bytes: number };
  setWriteRate(control: object, bytesPerSecond: number): void;
  cancelWrite(control: object): void;
}

const binding = (): TableJobBinding => loadBinding() as unknown as TableJobBinding;

/**
 * A table that is being written.
 * @example
 * ```ts
 * import { Memtable, TableWrite } from '@exopool/native/internal';
 *
 * const write = new TableWrite(
 *   { memtables: [new Memtable()] },
 *   { path: 'table', tableId: 1n, createdMs: Date.now() },
 * );
 * console.log(await write.done);
 * ```
 */
export class TableWrite {
  /**
   * Resolves with the finished table; with `undefined` when it was cancelled.
   * @throws ExopoolError of the file system (`EXOPOOL_NO_SPACE`, …), or of a source (`EXOPOOL_CORRUPT`, `EXOPOOL_IO`),
   * naming file and offset. After a failure or a cancel the file is removed.
   */
  readonly done: Promise<WrittenTable | undefined>;
  readonly #control: object;

  /** Starts to write. @throws ExopoolError `EXOPOOL_CLOSED` when a source is closed. */
  constructor(sources: ScanSources, options: TableWriteOptions) {
    const spec = scanSpec(sources, {}, options.readBytes);
    const { control, done } = binding().startWrite(spec, {
      ...options,
      durable: options.durable ?? true,
      filter: options.filter ?? true,
      bytesPerSecond: options.bytesPerSecond ?? Infinity,
    });
    this.#control = control;
    this.done = done.then((result) => written(options.path, result));
  }

  /** Entries taken from the sources so far, each key once, and bytes in the file. */
  get progress(): { readonly entries: number; readonly bytes: number } {
    return binding().writeProgress(this.#control);
  }

  /** Changes the rate from now on; `Infinity` for no limit. */
  setRate(bytesPerSecond: number): void {
    binding().setWriteRate(this.#control, bytesPerSecond);
  }

  /** Ends the write soon. Does nothing when it has ended. */
  cancel(): void {
    binding().cancelWrite(this.#control);
  }
}

function written(path: string, result: WriteResult): WrittenTable | undefined {
  if (result.cancelled === true) return undefined;
  if (result.failure === undefined) {
    const { entries, bytes, smallest: smallestKey, largest: largestKey } = result;
    return { entries, bytes, smallestKey, largestKey };
  }
  if (result.path !== '') throw scanError(result.failure, result.path);
  const name = getSystemErrorName(-result.failure.number);
  if (name === 'ENOMEM')
    throw new ExopoolError('EXOPOOL_IO', `there is no memory to write ${path}; free some, and try again`);
  throw toExopoolError(Object.assign(new Error(name), { code: name }), `cannot write ${path}`);
}
