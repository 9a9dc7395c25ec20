/**
 * Decides how many slabs a producer may promise for a lease, so that few are taken back early.
 *
 *   promised = floor(free − c · s · f(L))       free memory in slabs, less a reserve
 *
 * The reserve grows with the producer's volatility s, the length L of the lease and the caution c. The whole market has
 * one caution: so the last slab promised is equally risky everywhere, and no other division of the same volume loses
 * less. The operator names a volume, or a share of slabs that may be revoked. The caution follows from it.
 */

/** An hour of five-minute steps. */
const stepsAnHour = 12;

/** Relative growth of the reserve with the lease: linear, as free memory drifts for hours rather than wavers. */
export function horizon(leaseSteps: number): number {
  return leaseSteps / stepsAnHour;
}

/** One producer's free memory, in slabs; fractions count. */
export interface FreeMemory {
  readonly freeSlabs: number;
  /** Slabs a step. */
  readonly volatility: number;
}

/** Rounding in the last digit must not cost a slab. */
const epsilon = 1e-9;

/** Whole slabs of a producer that may be promised for `leaseSteps`. */
export function stableSlabs(memory: FreeMemory, leaseSteps: number, caution: number): number {
  const reserve = caution * memory.volatility * horizon(leaseSteps);
  const slabs = Math.floor(memory.freeSlabs - reserve + epsilon);
  return slabs > 0 ? slabs : 0;
}

/** With more, no producer that moves at all could promise a slab. */
export const cautionMax = 1000;
/** Halvings of {@link cautionMax}: to a thousandth. */
const bisections = 20;

/**
 * The least caution with which the market promises no more than a share of what is free.
 * @param volume 0..1 of the whole slabs that are free now
 */
export function cautionForVolume(market: readonly FreeMemory[], leaseSteps: number, volume: number): number {
  const promised = (caution: number): number =>
    market.reduce((sum, memory) => sum + stableSlabs(memory, leaseSteps, caution), 0);
  const wanted = promised(0) * volume;
  let [low, high] = [0, cautionMax];
  for (let turn = 0; turn < bisections; turn += 1) {
    const middle = (low + high) / 2;
    if (promised(middle) > wanted) low = middle;
    else high = middle;
  }
  // One slab too many is better than to miss the volume.
  return low;
}

/** The caution grows by a factor of e in a day in which all leases lose a little too much. */
const gain = 0.03;
/** A loss of nothing makes the largest step down. The largest step up is four times that. */
const errorMin = -1;
const errorMax = 4;
/** No factor can raise a caution of zero, so it stays above this. */
const cautionMin = 0.01;

/**
 * The caution after some leases have ended, so that in the long run `target` is lost.
 * @param loss 0..1: slabs of these leases that were revoked early, of all that were promised
 * @param target 0..1, above 0
 */
export function adjustCaution(caution: number, loss: number, target: number): number {
  if (!Number.isFinite(loss)) return caution;
  const error = Math.min(errorMax, Math.max(errorMin, loss / target - 1));
  return Math.min(cautionMax, Math.max(cautionMin, caution * Math.exp(gain * error)));
}
