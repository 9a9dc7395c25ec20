/** What a store tells about itself. */
import type { StoreIndexStats } from '@exopool/native/internal';
import type { CacheTierStats } from '@exopool/shared';
import type { LookupsByEngine } from './tables/open-table.js';
import type { ReadsByTier } from './read/read-path.js';
import type { TierGateCounters } from './read/tier-gate.js';

/** Counters since the store was opened, and its sizes now. */
export interface StoreStats {
  /** The absolute path of the folder. */
  readonly path: string;
  readonly readOnly: boolean;
  /** The engine in use: `pread`, or `auto → pread`. Under `auto` that of the oldest table. */
  readonly engine: string;
  /** Whether `pread` bypasses the page cache. False also where the file system refuses. */
  readonly direct: boolean;
  readonly tables: number;
  /** Entries of all tables, tombstones included. A key may count once per table. Unflushed writes are not included. */
  readonly tableEntries: number;
  /** Size of all table files, bytes. */
  readonly tableBytes: number;
  /** Unflushed writes, and their memory in bytes. */
  readonly memtableEntries: number;
  readonly memtableBytes: number;
  /** Number of cached rows and leaf pages. */
  readonly cacheEntries: number;
  /** Memory of the cache, of interior pages and of filters, bytes. The option `cacheBytes` is its limit. */
  readonly cacheBytes: number;
  /** What that memory holds, and how many lookups it answered. */
  readonly index: StoreIndexStats;
  readonly readsByTier: ReadsByTier;
  readonly lookupsByEngine: LookupsByEngine;
  /** Keys put or deleted. */
  readonly writes: number;
  /** Acknowledged writes (a batch counts once), and the log syncs that they shared. */
  readonly commits: number;
  readonly logSyncs: number;
  /** Bytes written to logs. */
  readonly logBytes: number;
  readonly flushes: number;
  /** Merges of tables, in the background or by `compact()`; failed merges; bytes of the tables that they wrote. */
  readonly compactions: number;
  readonly compactionsFailed: number;
  readonly compactedBytes: number;
  /** Loads that succeeded. */
  readonly loads: number;
  /** Failures of the cache tier as the store saw them; `stats` are the tier's own, if one is attached. */
  readonly tier: TierGateCounters & { readonly stats: CacheTierStats | undefined };
}
