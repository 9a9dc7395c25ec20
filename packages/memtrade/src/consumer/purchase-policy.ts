/**
 * Decides how many slabs are worth their price: a pure function of a miss-ratio curve and prices.
 *
 *   hits a second that n slabs add x seconds that a hit saves  =  waiting that is saved, in machines
 *   x price of such a machine an hour                          =  value of n slabs an hour
 *
 * It chooses the number with the greatest gain of value over cost. Curves have steps (a loop fits or does not), so it
 * looks at the whole curve and not only at the next slab. A change must pay by a margin, so that small price changes do
 * not cause purchases. The budget is never exceeded, whatever the margin.
 */
import type { MissRatioCurve } from './mrc/miss-ratio-curve.js';

/** A change must pay by this share of the price. It is larger than the steps of the broker's price. */
export const marginDefault = 0.1;

export interface PurchaseSituation {
  readonly curve: MissRatioCurve;
  readonly requestsPerSecond: number;
  /** The duration of a miss less that of a hit. */
  readonly missPenaltySeconds: number;
  /** US dollars an hour for the machine that waits, or for the share of it that waits. */
  readonly waitingPricePerHour: number;
  /** US dollars an hour of one slab. */
  readonly slabPricePerHour: number;
  /** Bytes of values that a slab holds. */
  readonly slabBytes: number;
  readonly slabsMax: number;
  readonly heldSlabs: number;
  /** US dollars an hour. */
  readonly budgetPerHour?: number | undefined;
  /** Default `marginDefault`. */
  readonly margin?: number;
}

export type PurchaseReason =
  /** Another slab would cost more than it is worth. */
  | 'worth'
  /** More slabs would pay off, but exceed the budget. */
  | 'budget'
  /** More slabs would pay off, but exceed `slabsMax`. */
  | 'limit'
  /** Another number would be better, but by less than the margin. */
  | 'margin';

export interface Purchase {
  readonly slabs: number;
  readonly reason: PurchaseReason;
  /** US dollars an hour. */
  readonly value: number;
  readonly cost: number;
}

/** The value of `slabs`, in US dollars an hour. */
export function valueOf(situation: PurchaseSituation, slabs: number): number {
  const { curve, requestsPerSecond, missPenaltySeconds, waitingPricePerHour, slabBytes } = situation;
  const hitRatio = curve.at(0) - curve.at(slabs * slabBytes);
  return hitRatio * requestsPerSecond * Math.max(0, missPenaltySeconds) * waitingPricePerHour;
}

/** The largest number of slabs within the budget. */
export function affordableSlabs({ budgetPerHour, slabPricePerHour }: PurchaseSituation): number {
  if (budgetPerHour === undefined || slabPricePerHour <= 0) return Number.POSITIVE_INFINITY;
  // A rounding error of the division must not change the number.
  const slabs = Math.floor(budgetPerHour / slabPricePerHour) + 1;
  return slabs * slabPricePerHour <= budgetPerHour ? slabs : slabs - 1;
}

/** Decides how many slabs to lease, and says why. */
export function decidePurchase(situation: PurchaseSituation): Purchase {
  const affordable = affordableSlabs(situation);
  const allowed = Math.min(affordable, situation.slabsMax);
  const slabs = bestSlabs(situation, allowed, situation.margin ?? marginDefault);
  const value = valueOf(situation, slabs);
  const cost = slabs * situation.slabPricePerHour;
  return { slabs, reason: reasonOf(situation, slabs, affordable), value, cost };
}

function reasonOf(situation: PurchaseSituation, slabs: number, affordable: number): PurchaseReason {
  const unbounded = bestSlabs(situation, Number.POSITIVE_INFINITY, 0);
  if (unbounded > Math.min(affordable, situation.slabsMax)) {
    return affordable < situation.slabsMax ? 'budget' : 'limit';
  }
  return unbounded === slabs ? 'worth' : 'margin';
}

/**
 * The number with the greatest gain, where each slab of change costs the margin. Of equal numbers it is the nearest to
 * the held one. The result is stable: with it as the held number, the answer is the same.
 */
function bestSlabs(situation: PurchaseSituation, allowed: number, margin: number): number {
  const { slabPricePerHour, slabBytes, curve } = situation;
  const held = Math.min(situation.heldSlabs, allowed);
  const gain = (slabs: number): number =>
    valueOf(situation, slabs) - slabPricePerHour * (slabs + margin * Math.abs(slabs - held));
  // Memory beyond the working set has no value.
  const enough = Math.min(allowed, Math.max(held, Math.ceil(curve.workingSetBytes / slabBytes)));
  let best = held;
  for (let slabs = 0; slabs <= enough; slabs++) {
    const difference = gain(slabs) - gain(best);
    const isNearer = Math.abs(slabs - held) < Math.abs(best - held);
    if (difference > 0 || (difference === 0 && isNearer)) best = slabs;
  }
  return best;
}
