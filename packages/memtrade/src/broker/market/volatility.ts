/**
 * Volatility: how much a producer's free memory moves in a step of five minutes.
 *
 * One number a producer decides how much of its memory may be promised. It is the mean of two root mean squares of the
 * changes from step to step, one that forgets within hours and one that remembers a day: the first sees that a
 * producer has become restless, the second that it always is. A newcomer has few changes, so it is taken for an
 * average producer until it has shown more.
 *
 *   s = (RMS of changes, half-life 3 h  +  RMS of changes, half-life 24 h) / 2,  shrunk to the market's median
 *
 * Changes are shares of the producer's size, so that large and small producers can be compared. Pure: an observation
 * gives a new value and changes nothing.
 */

/** Five minutes: shorter ones see noise, longer ones miss bursts. */
export const stepMs = 300_000;
/** Half-lives, in steps: three hours and a day. */
const fastHalfLife = 36;
const slowHalfLife = 288;
const fastDecay = 0.5 ** (1 / fastHalfLife);
const slowDecay = 0.5 ** (1 / slowHalfLife);
/** The market's median counts as much as so many changes of the producer's own. */
const medianWeight = 4;
/** Holds while no producer has changed: 1 % of the memory in a step, more than most producers have. */
export const volatilityUnknown = 0.01;

/** Summary of one producer's changes. */
export interface Volatility {
  /** Sums of squared changes and of their weights, with both half-lives. */
  readonly fast: number;
  readonly fastWeight: number;
  readonly slow: number;
  readonly slowWeight: number;
}

/** A producer starts with this. */
export const noVolatility: Volatility = { fast: 0, fastWeight: 0, slow: 0, slowWeight: 0 };

/**
 * Adds a change of free memory.
 * @param change share of the producer's size, -1..1; NaN is ignored
 * @param steps that it took, 1 without a gap; a change over a gap counts as that many equal, independent ones
 */
export function observeChange(before: Volatility, change: number, steps = 1): Volatility {
  if (!Number.isFinite(change) || !(steps >= 1)) return before;
  const square = Math.min(1, change * change) / steps;
  const [fast, slow] = [fastDecay ** steps, slowDecay ** steps];
  return {
    fast: before.fast * fast + square,
    fastWeight: before.fastWeight * fast + 1,
    slow: before.slow * slow + square,
    slowWeight: before.slowWeight * slow + 1,
  };
}

/**
 * The volatility, a share of the producer's size in a step.
 * @param median the market's, see {@link medianVolatility}
 */
export function volatilityOf(seen: Volatility, median: number): number {
  const own = ownVolatility(seen);
  if (own === undefined) return median;
  return (own * seen.fastWeight + median * medianWeight) / (seen.fastWeight + medianWeight);
}

/** The median of the producers that have changed at all; {@link volatilityUnknown} without any. */
export function medianVolatility(market: Iterable<Volatility>): number {
  const known: number[] = [];
  for (const seen of market) {
    const own = ownVolatility(seen);
    if (own !== undefined) known.push(own);
  }
  if (known.length === 0) return volatilityUnknown;
  known.sort((a, b) => a - b);
  return known[known.length >> 1]!;
}

function ownVolatility(seen: Volatility): number | undefined {
  if (seen.fastWeight === 0) return undefined;
  return (Math.sqrt(seen.fast / seen.fastWeight) + Math.sqrt(seen.slow / seen.slowWeight)) / 2;
}
