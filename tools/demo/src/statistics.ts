/** Latencies by tier, and their summaries for tables and files. */
import { Latencies } from './latencies.js';

/** Tiers that can serve a read. */
export const tiers = ['memory', 'remote', 'store'] as const;
export type Tier = (typeof tiers)[number];

export interface LatencySummary {
  readonly count: number;
  /** Microseconds; 0 when nothing was counted. */
  readonly p50Us: number;
  readonly p99Us: number;
}

export function summaryOf(latencies: Latencies): LatencySummary {
  return { count: latencies.count, p50Us: latencies.percentileUs(50), p99Us: latencies.percentileUs(99) };
}

/** One histogram for each tier, and one for all reads. */
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
      memory: summaryOf(memory),
      remote: summaryOf(remote),
      store: summaryOf(store),
      all: summaryOf(this.#all),
    };
  }

  reset(): void {
    for (const tier of tiers) this.#tiers[tier].reset();
    this.#all.reset();
  }
}

export type TierSummary = Readonly<Record<Tier | 'all', LatencySummary>>;

/** The median; NaN without numbers. */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) return NaN;
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `part / whole`; 0 if `whole` is 0. */
export function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
