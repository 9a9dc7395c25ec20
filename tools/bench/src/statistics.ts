/** Numbers of repeated measurements, and latencies within one. */
import { build, type Histogram } from 'hdr-histogram-js';

/** The middle of several rounds, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError for no numbers: a median of nothing would hide that something did not run. */
export function spreadOf(numbers: readonly number[]): Spread {
  if (numbers.length === 0) throw new RangeError('a spread needs at least one number');
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** Microseconds; `undefined` when nothing was recorded. */
export interface Percentiles {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

/** Three digits are below the noise of any run; a minute is longer than any call may take. */
const significantDigits = 3;
const nanosecondsMax = 60e9;

export class Latencies {
  readonly #histogram: Histogram = build({
    highestTrackableValue: nanosecondsMax,
    numberOfSignificantValueDigits: significantDigits,
    autoResize: false,
  });

  record(milliseconds: number): void {
    this.#histogram.recordValue(Math.min(Math.max(Math.round(milliseconds * 1e6), 1), nanosecondsMax));
  }

  reset(): void {
    this.#histogram.reset();
  }

  percentiles(): Percentiles | undefined {
    if (this.#histogram.totalCount === 0) return undefined;
    const at = (percent: number): number => this.#histogram.getValueAtPercentile(percent) / 1000;
    return { p50Us: at(50), p99Us: at(99), p999Us: at(99.9) };
  }
}
