/**
 * Estimates the probability that slabs stay for a whole lease.
 *
 * Every past lease that could have been made has a drop: free memory fell so far below its value at the beginning. The
 * drops are divided by the producer's volatility. Their distribution is then much the same everywhere, so one histogram
 * of the whole market says how deep a drop to expect. A producer's own histogram corrects it. The own one weighs as
 * much as it has cases, the market's as much as `marketWeight`.
 *
 *   drop ÷ s     0 | 0.02 | 0.025 | 0.031 | … × 1.25 … | 720        bins of equal ratio; the first is "no drop at all"
 *
 * Counts are decayed, so that the last day or so decides.
 */

const binsCount = 48;
const ratio = 1.25;
const smallest = 0.02;
const logRatio = Math.log(ratio);
/** The market's histogram weighs as much as so many cases of the producer's own. */
const marketWeight = 24;

/** Decayed counts of drops. */
export class DropHistogram {
  readonly #counts = new Float64Array(binsCount);
  readonly #decay: number;
  #total = 0;

  /** @param halfLife counted in calls of {@link fade} */
  constructor(halfLife: number) {
    this.#decay = 0.5 ** (1 / halfLife);
  }

  get total(): number {
    return this.#total;
  }

  /** Makes all earlier drops count a little less. */
  fade(): void {
    for (let bin = 0; bin < binsCount; bin += 1) this.#counts[bin]! *= this.#decay;
    this.#total *= this.#decay;
  }

  /** @param drop in units of volatility; NaN is ignored */
  add(drop: number): void {
    if (Number.isNaN(drop)) return;
    this.#counts[binOf(drop)]! += 1;
    this.#total += 1;
  }

  /** The share of drops in a bin; 0 without any. */
  share(bin: number): number {
    return this.#total === 0 ? 0 : this.#counts[bin]! / this.#total;
  }

  count(bin: number): number {
    return this.#counts[bin]!;
  }
}

/**
 * The drop that is not exceeded with a probability of `level`, in units of volatility.
 * @param level 0..1, as 0.999 for a guaranteed lease
 * @returns `undefined` as long as the market has no case
 */
export function dropAt(own: DropHistogram, market: DropHistogram, level: number): number | undefined {
  if (market.total === 0) return undefined;
  const total = own.total + marketWeight;
  let below = 0;
  for (let bin = 0; bin < binsCount; bin += 1) {
    below += (own.count(bin) + marketWeight * market.share(bin)) / total;
    if (below >= level) return upperEdge(bin);
  }
  return upperEdge(binsCount - 1);
}

/** The probability that free memory falls by at most `drop` units of volatility during a lease; 0 while unknown. */
export function stayOdds(own: DropHistogram, market: DropHistogram, drop: number): number {
  if (market.total === 0 || !(drop >= 0)) return 0;
  const total = own.total + marketWeight;
  let below = 0;
  // Only whole bins below the drop count: the promise is too small rather than too large.
  for (let bin = 0; bin < binsCount && upperEdge(bin) <= drop; bin += 1)
    below += (own.count(bin) + marketWeight * market.share(bin)) / total;
  return Math.min(1, below);
}

function binOf(drop: number): number {
  if (drop <= 0) return 0;
  return Math.min(binsCount - 1, Math.max(1, Math.ceil(Math.log(drop / smallest) / logRatio)));
}

function upperEdge(bin: number): number {
  return bin === 0 ? 0 : smallest * ratio ** bin;
}
