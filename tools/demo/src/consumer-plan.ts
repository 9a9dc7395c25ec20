/** What the consumer process is told to do. Apart from its module, which runs it when it is imported. */

import type { DiskLimit } from './disk-limit.js';

/** The comparison is of tiers: both modes read tables the same way, past the page cache. */
export const measuredEngine = 'pread';

export interface ConsumerPlan {
  readonly storePath: string;
  readonly digestsPath: string;
  readonly endpoint: string;
  readonly caFile: string;
  readonly seconds: number;
  /** Bytes of the store's own row cache. */
  readonly cacheBytes: number;
  /** Slabs to lease. */
  readonly slabs: number;
  readonly seed: number;
  /** To measure on a limited disk too. */
  readonly diskLimit: DiskLimit | undefined;
}
