/** The addon's functions for table files, and the typed errors for their failures. */
import { getSystemErrorName } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { EXO_TABLE_VERSION, packedValuesBytesMax } from '../contracts.js';
import { loadBinding } from '../load-binding.js';

/** Names what the addon holds for one open table. */
export type TableHandle = object;

/** The header of a table file. */
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
  /** Offset of the first page of the filter; 0 without one. */
  readonly filter: number;
  readonly filterPages: number;
  /** Blocks of 32 bytes, 127 in each page but the last. */
  readonly filterBlocks: number;
}

/** Counters of one engine on one table since the table was opened. */
export interface LookupCounters {
  readonly lookups: number;
  /** Keys that the table has, including tombstones. */
  readonly found: number;
  readonly notFound: number;
  /** Pages visited, whether read or cached. */
  readonly hops: number;
  /** Pages whose checksum was computed. */
  readonly pagesVerified: number;
  /** Bytes that were read from the file, or copied out of the page cache. */
  readonly bytesRead: number;
  /** Lookups that the calling thread answered itself, since it had to wait for nothing. */
  readonly onCaller: number;
  /** Chains that ended without an answer, by reason. `pread` continued those of a kernel-side engine. */
  readonly returned: Readonly<Record<'bound' | 'corrupt' | 'io' | 'stale' | 'straddle', number>>;
}

/** Counters of an engine in the kernel's ring in this process, and of the ends of its chains. */
export interface LoopCounters {
  readonly batches: number;
  readonly chains: number;
  /** Pages that were requested. */
  readonly hops: number;
  readonly done: number;
  readonly notFound: number;
  /** Chains with more hops than the table is high. */
  readonly bound: number;
  /** The file's extents had changed since the snapshot. */
  readonly stale: number;
  /** A page is not contiguous on the device. */
  readonly straddle: number;
  readonly io: number;
  readonly checksum: number;
  /** A page contradicts itself. */
  readonly corrupt: number;
}

/** `ends` by `enum exo_end`, `modes` by `enum exo_mode` of include/driver_abi.h. */
export interface NativeDriverCounters {
  readonly batches: number;
  readonly hops: number;
  readonly resubmitted: number;
  readonly unanswered: number;
  readonly ends: readonly number[];
  readonly modes: readonly number[];
}

/** Why an operation on a table failed, from the addon. */
export interface TableFailure {
  readonly kind: 'io' | 'corrupt' | 'version' | 'limit';
  /** `io`: an errno. `version`: the file's version. */
  readonly number: number;
  /** Where in the file, bytes. */
  readonly offset: number;
  readonly detail: string;
  /** The table's file, where the caller does not know it. */
  readonly path?: string;
}

export interface Packed {
  readonly packed?: Buffer;
  readonly failure?: TableFailure;
}

/** Counters of a store's index: its entries in memory, and its answers from there. */
export interface StoreIndexStats {
  /** Keys that a memtable answered, including deletions. */
  readonly memtableHits: number;
  /** Keys that a cached row answered, and that a cached leaf page answered. */
  readonly rowHits: number;
  readonly leafHits: number;
  /** Keys that bounds and filters ruled out in every table. */
  readonly noTable: number;
  /** Keys found in a table, and keys whose read found no value or a tombstone. */
  readonly foundInTable: number;
  readonly inNoTable: number;
  /** Times that a filter ruled out a table. */
  readonly filterNegatives: number;
  /** Rows and leaf pages in the cache. */
  readonly rows: number;
  readonly leaves: number;
  /** Bytes of the cache with its index, of interior pages, and of filters. */
  readonly cacheBytes: number;
  readonly interiorBytes: number;
  readonly filterBytes: number;
  /** Tables without a filter in memory: they have none, or there was no room for it. */
  readonly tablesWithoutFilter: number;
}

/** See addon/door/store_index_binding.cc. */
export interface StoreIndexBinding {
  find(keyLength: number, token: number): number;
  large(): Buffer;
  flush(): void;
  setBlock(block: Uint8Array, isRetry: boolean): number;
  /** Memory of the index for the key of a call. */
  readonly key: ArrayBuffer;
  readNow(keyLength: number): { value?: Buffer; failure?: TableFailure };
  getMany(packedKeys: Uint8Array, fromMemory: boolean): Packed | Promise<Packed>;
  written(packedKeys: Uint8Array): void;
  writtenAll(): void;
  epoch(keyLength: number): number;
  admit(keyLength: number, epoch: number, value: Uint8Array | undefined): boolean;
  setTables(handles: readonly TableHandle[], bounds: readonly Uint8Array[]): void;
  setEngines(numbers: readonly number[]): void;
  setMemtables(handles: readonly object[]): void;
  prepareTable(handle: TableHandle): Promise<void>;
  readonly leaves: object;
  close(): void;
  stats(): StoreIndexStats;
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
  lookupTable(handle: TableHandle, engine: number, keys: readonly Buffer[]): Packed | Promise<Packed>;
  openLookupStream(
    receive: (count: number, values?: Buffer, failures?: readonly TableFailure[]) => void,
    words: Int32Array,
  ): object;
  openStoreIndex(cacheBytes: number, stream: object): StoreIndexBinding;
  readTablePages(handle: TableHandle, offset: number, count: number, verify: boolean): Promise<Packed>;
  tableResidentShare(handle: TableHandle, samples: number): number;
  tableCounters(handle: TableHandle, engine: number): LookupCounters;
  /** 0, or the errno with which the kernel refuses a ring. */
  ringError(): number;
  bpfSupport(): { available: boolean; reason: string; fix: string };
  loopSupport(): { available: boolean; reason: string; fix: string };
  /** `kind`: `loopKind`. */
  loopCounters(kind: number): LoopCounters;
  driverSupport(): { available: boolean; reason: string; fix: string };
  /** Why the driver cannot read the table's file; empty when it can from now on. */
  attachToDriver(handle: TableHandle): string;
  driverCounters(): NativeDriverCounters;
  /** Why the table's file cannot be pinned; empty when it is. */
  pinTable(handle: TableHandle): string;
  unpinTable(handle: TableHandle): void;
}

export function tableBinding(): TableBinding {
  return loadBinding() as unknown as TableBinding;
}

/** The typed error for a failure on the table file at `path`, unless the failure names one. */
export function tableError(given: string, failure: TableFailure): ExopoolError {
  const path = failure.path ?? given;
  switch (failure.kind) {
    case 'corrupt': {
      const what = `${path}: ${failure.detail} (offset ${failure.offset})`;
      return new ExopoolError('EXOPOOL_CORRUPT', `${what}; put back an intact copy, or load the data again`);
    }
    case 'version': {
      const versions = `table version ${failure.number}, this one reads ${EXO_TABLE_VERSION}`;
      return new ExopoolError(
        'EXOPOOL_VERSION',
        `${path}: written by a newer exopool (${versions}); update exopool`,
      );
    }
    case 'limit':
      return new ExopoolError(
        'EXOPOOL_INVALID',
        `${path}: the values of one call exceed ${packedValuesBytesMax / 2 ** 30} GiB; ask for fewer keys`,
      );
    case 'io': {
      const name = getSystemErrorName(-failure.number);
      const cause = Object.assign(new Error(name), { code: name });
      return toExopoolError(cause, `cannot read ${path} at offset ${failure.offset}`);
    }
  }
}
