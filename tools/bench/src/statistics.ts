/** Statistics of repeated measurements, and of latencies within one. */
import type { Latencies } from '@exopool/demo/latencies';

/** Median, minimum and maximum of several rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError without numbers, since a median of nothing would hide a part that did not run. */
export function spreadOf(numbers: readonly number[]): Spread {
  if (numbers.length === 0) throw new RangeError('a spread needs at least one number');
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** In microseconds; `undefined` if nothing was recorded. */
export interface Percentiles {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

export function percentilesOf(latencies: Latencies): Percentiles | undefined {
  if (latencies.count === 0) return undefined;
  return {
    p50Us: latencies.percentileUs(50),
    p99Us: latencies.percentileUs(99),
    p999Us: latencies.percentileUs(99.9),
  };
}
