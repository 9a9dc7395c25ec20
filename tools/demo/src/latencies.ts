/** Latencies of calls, in an HDR histogram. */
import { build, type Histogram } from 'hdr-histogram-js';

/** An error of three digits is below the noise of any run. No call may take longer than a minute. */
const significantDigits = 3;
const nanosecondsMax = 60e9;

export class Latencies {
  readonly #histogram: Histogram = build({
    highestTrackableValue: nanosecondsMax,
    numberOfSignificantValueDigits: significantDigits,
    autoResize: false,
  });

  /** Number of recorded calls. */
  get count(): number {
    return this.#histogram.totalCount;
  }

  record(milliseconds: number): void {
    this.#histogram.recordValue(Math.min(Math.max(Math.round(milliseconds * 1e6), 1), nanosecondsMax));
  }

  /** Microseconds; 0 when nothing was recorded. */
  percentileUs(percent: number): number {
    return this.count === 0 ? 0 : this.#histogram.getValueAtPercentile(percent) / 1000;
  }

  reset(): void {
    this.#histogram.reset();
  }
}
