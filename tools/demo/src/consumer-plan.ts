/** The plan for the consumer process. It is not in consumer-main.ts, since importing that file runs the process. */

import type { DiskLimit } from './disk-limit.js';

/** The demo compares tiers, so both modes read tables in the same way: past the page cache. */
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
  /** Also measures on a limited disk. */
  readonly diskLimit: DiskLimit | undefined;
}
