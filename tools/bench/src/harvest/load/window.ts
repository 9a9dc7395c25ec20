/** Results of a load in a window of time. */
import type { Latencies } from '@exopool/demo/latencies';

/** A part of a window: half a second, or 1 s with pgbench and the batch job. */
export interface LoadPoint {
  /** Unix time, milliseconds. */
  readonly atMs: number;
  readonly opsPerSecond: number;
  readonly p99Us: number;
}

export interface LoadWindow {
  readonly operations: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly points: readonly LoadPoint[];
}

export function windowOf(
  latencies: Latencies,
  operations: number,
  seconds: number,
  points: readonly LoadPoint[],
): LoadWindow {
  return {
    operations,
    seconds,
    p50Us: latencies.percentileUs(50),
    p99Us: latencies.percentileUs(99),
    p999Us: latencies.percentileUs(99.9),
    points,
  };
}

/** Operations a second. */
export function rateOf({ operations, seconds }: LoadWindow): number {
  return seconds === 0 ? 0 : operations / seconds;
}
