/** How long calls took, in an HDR histogram. */
import { build, type Histogram } from 'hdr-histogram-js';

/** Three digits are below the noise of any run; a minute is longer than any call may take. */
const significantDigits = 3;
const nanosecondsMax = 60e9;

export class Latencies {
  readonly #histogram: Histogram = build({
    highestTrackableValue: nanosecondsMax,
    numberOfSignificantValueDigits: significantDigits,
    autoResize: false,
  });

  /** Calls recorded. */
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
