/** The addon's slice for table files, and the typed errors for its failures. */
import { getSystemErrorName } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { loadBinding } from './load-binding.js';

/** Names what the addon holds for one open table. */
export type TableHandle = object;

export interface TableHeader {
  /** Version of the file's format. */
  readonly version: number;
  /** Random; every page of the table repeats it. */
  readonly tableId: bigint;
  /** Offset of the root page; 0 in a table without entries. */
  readonly root: number;
  /** Levels of the tree: 0 without entries, 1 when the root is a leaf. */
  readonly height: number;
  readonly entries: number;
  /** Bytes. */
  readonly fileSize: number;
  readonly leafPages: number;
  readonly interiorPages: number;
  readonly valuePages: number;
  /** When the table was written: Unix time, milliseconds. */
  readonly createdMs: number;
}

/** What one engine did on one table since it was opened. */
export interface LookupCounters {
  readonly lookups: number;
  /** Tombstones are found as well. */
  readonly found: number;
  readonly notFound: number;
  /** Pages visited, whether read or cached. */
  readonly hops: number;
  /** Pages whose checksum was computed. */
  readonly pagesVerified: number;
  /** Bytes that were read from the file, or copied out of the page cache. */
  readonly bytesRead: number;
  /** Chains that ended without an answer, by reason. Those of a kernel-side engine went on by `pread`. */
  readonly returned: Readonly<Record<'bound' | 'corrupt' | 'io', number>>;
}

/** What an engine in the kernel's ring did in this process, and how its chains ended. */
export interface LoopCounters {
  readonly batches: number;
  readonly chains: number;
  /** Pages that were asked for. */
  readonly hops: number;
  readonly done: number;
  readonly notFound: number;
  /** More hops than the table is high. */
  readonly bound: number;
  /** The file's extents were no longer those of the snapshot. */
  readonly stale: number;
  /** A page does not lie in one piece on the device. */
  readonly straddle: number;
  readonly io: number;
  readonly checksum: number;
  /** A page contradicts itself. */
  readonly corrupt: number;
}

/** Why an operation on a table failed, as the addon says it. */
export interface TableFailure {
  readonly kind: 'io' | 'corrupt' | 'version' | 'limit';
  /** `io`: an errno. `version`: the file's version. */
  readonly number: number;
  /** Where in the file, bytes. */
  readonly offset: number;
  readonly detail: string;
}

export interface Packed {
  readonly packed?: Buffer;
  readonly failure?: TableFailure;
}

export interface TableBinding {
  openTable(
    path: string,
    direct: boolean,
    cacheInterior: boolean,
  ):
    | { failure: TableFailure }
    | { failure?: never; handle: TableHandle; header: TableHeader; direct: boolean };
  closeTable(handle: TableHandle): void;
  lookupTable(handle: TableHandle, engine: number, keys: readonly Buffer[]): Promise<Packed>;
  openLookupStream(receive: (packed: Buffer, failures: readonly TableFailure[]) => void): object;
  streamLookups(stream: object, handle: TableHandle, keys: readonly Buffer[], firstToken: number): void;
  readTablePages(handle: TableHandle, offset: number, count: number, verify: boolean): Promise<Packed>;
  tableResidentShare(handle: TableHandle, samples: number): number;
  tableCounters(handle: TableHandle, engine: number): LookupCounters;
  /** 0, or the errno with which the kernel refuses a ring. */
  ringError(): number;
  bpfSupport(): { available: boolean; reason: string; fix: string };
  loopSupport(): { available: boolean; reason: string; fix: string };
  /** `kind`: 0 `io-uring-bpf`, 1 `nvme-bpf`. */
  loopCounters(kind: number): LoopCounters;
  /** Why the table's file cannot be pinned; empty when it is. */
  pinTable(handle: TableHandle): string;
  unpinTable(handle: TableHandle): void;
  /** 0 or an errno. */
  releasePin(path: string): number;
}

export function tableBinding(): TableBinding {
  return loadBinding() as unknown as TableBinding;
}

/** The version of table files that this program writes and reads. */
const tableVersion = 2;

/** The typed error for a failure on the table file at `path`. */
export function tableError(path: string, failure: TableFailure): ExopoolError {
  switch (failure.kind) {
    case 'corrupt': {
      const what = `${path}: ${failure.detail} (offset ${failure.offset})`;
      return new ExopoolError('EXOPOOL_CORRUPT', `${what}; put back an intact copy, or load the data again`);
    }
    case 'version': {
      const versions = `table version ${failure.number}, this one reads ${tableVersion}`;
      return new ExopoolError(
        'EXOPOOL_VERSION',
        `${path}: written by a newer exopool (${versions}); update exopool`,
      );
    }
    case 'limit':
      return new ExopoolError(
        'EXOPOOL_INVALID',
        `${path}: the values of one call exceed 1 GiB; ask for fewer keys`,
      );
    case 'io': {
      const name = getSystemErrorName(-failure.number);
      const cause = Object.assign(new Error(name), { code: name });
      return toExopoolError(cause, `${path}: cannot be read at offset ${failure.offset}`);
    }
  }
}
