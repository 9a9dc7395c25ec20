import type { StoreIndexStats } from '@exopool/native/internal';
import type { CacheTierStats } from '@exopool/shared';
import type { LookupsByEngine } from './tables/open-table.js';
import type { ReadsByTier } from './read/read-path.js';
import type { TierGateCounters } from './read/tier-gate.js';

/** Counters since the store was opened, and its sizes now. */
export interface StoreStats {
  readonly path: string;
  readonly readOnly: boolean;
  /** The engine in use: "pread", or "auto → pread". */
  readonly engine: string;
  /** Whether `pread` goes past the page cache; false too when the file system refused. */
  readonly direct: boolean;
  readonly tables: number;
  /** Entries of all tables, tombstones included, so that a key may count several times. Unflushed ones are not in it. */
  readonly tableEntries: number;
  readonly tableBytes: number;
  readonly memtableEntries: number;
  readonly memtableBytes: number;
  /** Cached rows and leaf pages. */
  readonly cacheEntries: number;
  /** Memory of the cache, of interior pages and of filters: what `cacheBytes` of the options bounds. */
  readonly cacheBytes: number;
  /** What is in that memory, and what was answered from it. */
  readonly index: StoreIndexStats;
  readonly readsByTier: ReadsByTier;
  readonly lookupsByEngine: LookupsByEngine;
  /** Keys put or deleted. */
  readonly writes: number;
  /** Writes acknowledged, a batch counting once, and the syncs of the log that they shared. */
  readonly commits: number;
  readonly logSyncs: number;
  /** Bytes written to logs. */
  readonly logBytes: number;
  readonly flushes: number;
  /** Runs of tables merged in the background or by `compact()`, those that failed, and the bytes of the results. */
  readonly compactions: number;
  readonly compactionsFailed: number;
  readonly compactedBytes: number;
  readonly loads: number;
  /** The cache tier, seen from here, and its own counters when one is attached. */
  readonly tier: TierGateCounters & { readonly stats: CacheTierStats | undefined };
}
