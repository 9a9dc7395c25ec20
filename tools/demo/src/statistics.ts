/** Latencies by tier, and the summaries that go into tables and files. */
import { build, type Histogram } from 'hdr-histogram-js';

/** Where a read was served from. */
export const tiers = ['memory', 'remote', 'store'] as const;
export type Tier = (typeof tiers)[number];

export interface LatencySummary {
  readonly count: number;
  /** Microseconds; 0 when nothing was counted. */
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Three digits are below the noise of any run; ten seconds is longer than any read that still counts as one. */
const significantDigits = 3;
const nanosecondsMax = 10e9;

/** An HDR histogram of nanoseconds. */
export class Latencies {
  readonly #histogram: Histogram = build({
    highestTrackableValue: nanosecondsMax,
    numberOfSignificantValueDigits: significantDigits,
    autoResize: false,
  });

  record(milliseconds: number): void {
    const nanoseconds = Math.round(milliseconds * 1e6);
    this.#histogram.recordValue(Math.min(Math.max(nanoseconds, 1), nanosecondsMax));
  }

  summary(): LatencySummary {
    const count = this.#histogram.totalCount;
    const at = (percent: number): number =>
      count === 0 ? 0 : this.#histogram.getValueAtPercentile(percent) / 1000;
    return { count, p50Us: at(50), p99Us: at(99) };
  }

  reset(): void {
    this.#histogram.reset();
  }
}

/** One histogram a tier and one over all. */
export class TierLatencies {
  readonly #tiers: Readonly<Record<Tier, Latencies>> = {
    memory: new Latencies(),
    remote: new Latencies(),
    store: new Latencies(),
  };
  readonly #all = new Latencies();

  record(tier: Tier, milliseconds: number): void {
    this.#tiers[tier].record(milliseconds);
    this.#all.record(milliseconds);
  }

  summary(): TierSummary {
    const { memory, remote, store } = this.#tiers;
    return {
      memory: memory.summary(),
      remote: remote.summary(),
      store: store.summary(),
      all: this.#all.summary(),
    };
  }

  reset(): void {
    for (const tier of tiers) this.#tiers[tier].reset();
    this.#all.reset();
  }
}

export type TierSummary = Readonly<Record<Tier | 'all', LatencySummary>>;

/** The middle of the sorted numbers; NaN of none. */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) return NaN;
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `part / whole`, and 0 of nothing. */
export function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
