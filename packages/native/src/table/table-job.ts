/**
 * Writing tables: one file from what a scan gives, on a native thread of its own.
 */
import { getSystemErrorName } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';
import { scanError, scanSpec, type ScanFailure, type ScanSources, type ScanSpec } from './table-scan.js';

export interface TableWriteOptions {
  /** The file, which must not exist; it is removed when anything fails. */
  readonly path: string;
  /** Repeated in every page, so that a stray page of another table is recognised; take a random one. */
  readonly tableId: bigint;
  /** Unix time, milliseconds. */
  readonly createdMs: number;
  /** Whether the file is on disk at the end; its name is the caller's business. Default true. */
  readonly durable?: boolean | undefined;
  /** Leaves the file in the page cache. Default false. */
  readonly keepCached?: boolean | undefined;
  /** Gives the table a filter. Default true. */
  readonly filter?: boolean | undefined;
  /** Leaves deletions out: right when there is no older table. Default false. */
  readonly dropTombstones?: boolean | undefined;
  /** Stands back behind other work, at the disk and at the processor. Default false. */
  readonly background?: boolean | undefined;
  /** Bytes of the table a second. Default: no limit. */
  readonly bytesPerSecond?: number | undefined;
  /** Memory for the reads of each source table, bytes. Default 256 KiB. */
  readonly readBytes?: number | undefined;
}

export interface WrittenTable {
  /** Deletions are entries too. */
  readonly entries: number;
  readonly bytes: number;
  /** Empty without entries. */
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
  writeProgress(control: object): [entries: number, bytes: number];
  setWriteRate(control: object, bytesPerSecond: number): void;
  cancelWrite(control: object): void;
}

const binding = (): TableJobBinding => loadBinding() as unknown as TableJobBinding;

export class TableWrite {
  /**
   * How it ended; `undefined` when it was cancelled.
   * @throws ExopoolError of the file system (`EXOPOOL_NO_SPACE`, …), or of a source (`EXOPOOL_CORRUPT`, `EXOPOOL_IO`),
   * naming file and offset. The file is gone then, and when it was cancelled.
   */
  readonly done: Promise<WrittenTable | undefined>;
  readonly #control: object;

  /** @throws ExopoolError `EXOPOOL_CLOSED` when a source is. */
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

  /** Entries taken from the sources so far, each key once, and bytes of the file. */
  get progress(): { readonly entries: number; readonly bytes: number } {
    const [entries, bytes] = binding().writeProgress(this.#control);
    return { entries, bytes };
  }

  /** Holds from now on; `Infinity` for no limit. */
  setRate(bytesPerSecond: number): void {
    binding().setWriteRate(this.#control, bytesPerSecond);
  }

  /** Ends it soon, unless it has ended. */
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
  if (name === 'ENOMEM') throw new ExopoolError('EXOPOOL_IO', `there is no memory to write ${path}`);
  throw toExopoolError(Object.assign(new Error(name), { code: name }), `cannot write ${path}`);
}
