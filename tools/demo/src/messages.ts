/** Messages between the demo's processes over their IPC channels. */
import type { EngineComparison } from './engine-comparison.js';
import type { Disk, Mode, Slice } from './schedule.js';
import type { LatencySummary, TierSummary } from './statistics.js';

/** Every long-running command of exopool sends these to the process that started it. */
export type ServeMessage =
  | { readonly type: 'ready'; readonly facts: Readonly<Record<string, unknown>> }
  | { readonly type: 'figures'; readonly figures: unknown };

/** Results of one mode over all of its slices. */
export interface ModeFigures {
  /** Reads per second of each slice, in order. */
  readonly readsPerSecond: readonly number[];
  readonly latency: TierSummary;
}

export type ModePair = Readonly<Record<Mode, ModeFigures>>;

/** Figures of the consumer process, so far. */
export interface ConsumerFigures {
  readonly slice: Slice | undefined;
  /** Latencies of the last half second. */
  readonly readsPerSecond: number;
  readonly recent: TierSummary;
  readonly disks: Readonly<Record<Disk, ModePair>>;
  /** Number of leases held now. */
  readonly leases: number;
  readonly leasedBytes: number;
  /** Price in US dollars per GiB and hour, and US dollars charged so far. */
  readonly price: number;
  readonly charged: number;
  readonly valuesChecked: number;
  readonly valuesWrong: number;
  /** Lookups in table files, by engine. */
  readonly lookups: Readonly<Record<string, number>>;
  /** Set once the engines have been compared. */
  readonly comparison: EngineComparison | undefined;
  readonly done: boolean;
}

/** Before harvesting, during it, and beside the store's readers, which use the same processors. */
export const redisWindows = ['before', 'during', 'beside'] as const;
export type RedisWindow = (typeof redisWindows)[number];

/** Figures of the Redis load. */
export interface RedisFigures {
  /** Bytes that the Redis server holds. */
  readonly usedBytes: number;
  /** Latencies of the last second. */
  readonly recent: LatencySummary;
  readonly windows: Readonly<Record<RedisWindow, LatencySummary>>;
}
