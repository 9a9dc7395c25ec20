/**
 * Decides how slabs come back when the machine needs them. Pure: the last state and a snapshot give orders and the next
 * state.
 *
 *   all leases fit ───────────▶ nothing
 *   too many slabs leased ────▶ ask each lease for slabs, in proportion to its size; wait for the grace period
 *   grace over, still too many ▶ take the slabs that were not given back, the youngest lease first
 *   emergency ────────────────▶ take all excess slabs now, the youngest lease first
 */

export interface HeldLease {
  readonly leaseId: Buffer;
  readonly slabs: number;
  /** Leases are numbered as they are opened: the youngest has the highest number. */
  readonly order: number;
}

export interface ReclaimSnapshot {
  readonly nowMs: number;
  readonly leases: readonly HeldLease[];
  /** Slabs that may be leased. */
  readonly allowedSlabs: number;
  readonly isEmergency: boolean;
}

export interface ReclaimState {
  /** The end of the grace period. */
  readonly deadlineMs: number;
  /** Slabs that each lease may keep, by its order number. */
  readonly keep: ReadonlyMap<number, number>;
}

export type ReclaimOrder =
  | { readonly kind: 'ask'; readonly leaseId: Buffer; readonly slabs: number; readonly graceMs: number }
  | { readonly kind: 'take'; readonly leaseId: Buffer; readonly slabs: number };

export interface ReclaimDecision {
  readonly state: ReclaimState | undefined;
  readonly orders: readonly ReclaimOrder[];
}

const nothing: ReclaimDecision = { state: undefined, orders: [] };

export function nextReclaim(
  last: ReclaimState | undefined,
  { nowMs, leases, allowedSlabs, isEmergency }: ReclaimSnapshot,
  graceMs: number,
): ReclaimDecision {
  const excess = heldSlabs(leases) - allowedSlabs;
  if (excess <= 0) return nothing;
  if (isEmergency) return { state: undefined, orders: take(leases, excess, () => 0) };
  const keepOf = ({ order, slabs }: HeldLease): number => last?.keep.get(order) ?? slabs;
  if (last !== undefined && nowMs >= last.deadlineMs) {
    return { state: undefined, orders: take(leases, excess, keepOf) };
  }
  const asked = leases.reduce((sum, lease) => sum + Math.max(0, lease.slabs - keepOf(lease)), 0);
  if (last !== undefined && asked >= excess) return { state: last, orders: [] };
  // More is needed than was asked for: all leases are asked again, with the same deadline.
  const deadlineMs = last?.deadlineMs ?? nowMs + graceMs;
  const shares = shareOut(leases, excess);
  const asks = leases.flatMap(({ leaseId, order }): ReclaimOrder[] => {
    const slabs = shares.get(order)!;
    return slabs === 0 ? [] : [{ kind: 'ask', leaseId, slabs, graceMs: deadlineMs - nowMs }];
  });
  const keep = new Map(leases.map(({ order, slabs }) => [order, slabs - shares.get(order)!]));
  return { state: { deadlineMs, keep }, orders: asks };
}

/** Whole slabs in proportion to each lease's size. The remainder goes to the leases with the largest fractions. */
function shareOut(leases: readonly HeldLease[], wanted: number): Map<number, number> {
  const held = heldSlabs(leases);
  const exact = leases.map(({ order, slabs }) => ({ order, share: (slabs * wanted) / held }));
  const shares = new Map(exact.map(({ order, share }) => [order, Math.floor(share)]));
  let left = wanted - [...shares.values()].reduce((sum, share) => sum + share, 0);
  const byRemainder = exact.sort((a, b) => (b.share % 1) - (a.share % 1) || b.order - a.order);
  for (const { order } of byRemainder) {
    if (left === 0) break;
    shares.set(order, shares.get(order)! + 1);
    left -= 1;
  }
  return shares;
}

function take(
  leases: readonly HeldLease[],
  wanted: number,
  keepOf: (lease: HeldLease) => number,
): ReclaimOrder[] {
  const orders: ReclaimOrder[] = [];
  let left = wanted;
  for (const lease of [...leases].sort((a, b) => b.order - a.order)) {
    const slabs = Math.min(left, Math.max(0, lease.slabs - keepOf(lease)));
    if (slabs > 0) orders.push({ kind: 'take', leaseId: lease.leaseId, slabs });
    left -= slabs;
  }
  return orders;
}

export function heldSlabs(leases: readonly HeldLease[]): number {
  return leases.reduce((sum, { slabs }) => sum + slabs, 0);
}
