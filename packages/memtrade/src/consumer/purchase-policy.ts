/**
 * How many slabs are worth their price: a pure function from a miss-ratio curve and prices.
 *
 *   hits a second that n slabs add x seconds that a hit saves  =  machines' worth of waiting that is saved
 *   x price of such a machine an hour                          =  value of n slabs an hour
 *
 * Slabs are bought while what one more adds is worth more than it costs. Curves have steps (a loop fits or does not),
 * so the whole curve is looked at and not only the next slab. Changing one's mind costs something too: buying must
 * beat the price by a margin, and selling must save it, so that a price that trembles changes nothing. The budget is
 * never exceeded, whatever the margin says.
 */
import type { MissRatioCurve } from './mrc/miss-ratio-curve.js';

/** Part of the price by which a change must pay. Above the steps in which the broker moves its price. */
export const marginDefault = 0.1;

export interface PurchaseSituation {
  readonly curve: MissRatioCurve;
  readonly requestsPerSecond: number;
  /** What a miss takes longer than a hit. */
  readonly missPenaltySeconds: number;
  /** US dollars an hour of what waits meanwhile: the machine, or its share. */
  readonly waitingPricePerHour: number;
  /** US dollars an hour of one slab. */
  readonly slabPricePerHour: number;
  /** Bytes of values that a slab holds. */
  readonly slabBytes: number;
  readonly slabsMax: number;
  readonly heldSlabs: number;
  /** US dollars an hour. */
  readonly budgetPerHour?: number | undefined;
  /** Default {@link marginDefault}. */
  readonly margin?: number;
}

export type PurchaseReason =
  /** One more would cost more than it is worth. */
  | 'worth'
  /** More would be worth it, and cannot be paid. */
  | 'budget'
  /** More would be worth it, and may not be leased. */
  | 'limit'
  /** Another number would be better, but not by the margin. */
  | 'margin';

export interface Purchase {
  readonly slabs: number;
  readonly reason: PurchaseReason;
  /** US dollars an hour. */
  readonly value: number;
  readonly cost: number;
}

/** US dollars an hour that `slabs` are worth. */
export function valueOf(situation: PurchaseSituation, slabs: number): number {
  const { curve, requestsPerSecond, missPenaltySeconds, waitingPricePerHour, slabBytes } = situation;
  const hitRatio = curve.at(0) - curve.at(slabs * slabBytes);
  return hitRatio * requestsPerSecond * Math.max(0, missPenaltySeconds) * waitingPricePerHour;
}

/** The most slabs that the budget pays. */
export function affordableSlabs({ budgetPerHour, slabPricePerHour }: PurchaseSituation): number {
  if (budgetPerHour === undefined || slabPricePerHour <= 0) return Number.POSITIVE_INFINITY;
  // Not a slab less for a rounding error in the division, and not one more either.
  const slabs = Math.floor(budgetPerHour / slabPricePerHour) + 1;
  return slabs * slabPricePerHour <= budgetPerHour ? slabs : slabs - 1;
}

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
 * The number with the greatest gain, where going away from what is held costs the margin for each slab; of equals the
 * nearest to what is held. Asked again with its own answer as held, it gives the same answer.
 */
function bestSlabs(situation: PurchaseSituation, allowed: number, margin: number): number {
  const { slabPricePerHour, slabBytes, curve } = situation;
  const held = Math.min(situation.heldSlabs, allowed);
  const gain = (slabs: number): number =>
    valueOf(situation, slabs) - slabPricePerHour * (slabs + margin * Math.abs(slabs - held));
  // More than the working set holds is worth nothing more.
  const enough = Math.min(allowed, Math.max(held, Math.ceil(curve.workingSetBytes / slabBytes)));
  let best = held;
  for (let slabs = 0; slabs <= enough; slabs++) {
    const difference = gain(slabs) - gain(best);
    const isNearer = Math.abs(slabs - held) < Math.abs(best - held);
    if (difference > 0 || (difference === 0 && isNearer)) best = slabs;
  }
  return best;
}
