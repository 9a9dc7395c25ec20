/**
 * Decides how many slabs to offer: as many as the machine can spare.
 *
 *   spare   = available + memory in this producer's slabs − floor
 *   offered = min(spare, cap + harvested) in whole slabs
 *
 * Harvested memory is part of the available memory. It raises the cap, and is not added to `spare` a second time. The
 * kernel does not count memory in slabs as available, but it is offered already, so it is added.
 *
 * Less memory lowers the offer at once, since the application needs it. More memory raises the offer only when it stays
 * for a while and reaches half a slab beyond the boundary. So an offer near a boundary does not flap. Pure: the last
 * state and a snapshot give the next state.
 */

export interface OfferSettings {
  readonly slabBytes: number;
  /** Available memory that the machine keeps. */
  readonly floorBytes: number;
  /** Most memory to offer, besides harvested memory. */
  readonly maxBytes: number;
  /** Most slabs to offer. */
  readonly slabsMax: number;
  /** Time for which more memory must stay available before it is offered. */
  readonly raiseAfterMs: number;
}

export interface OfferSnapshot {
  readonly nowMs: number;
  /** The machine's available memory. */
  readonly availableBytes: number;
  /** Memory in this producer's slabs. */
  readonly ownBytes: number;
  readonly harvestedBytes: number;
}

export interface OfferState {
  readonly slabs: number;
  /** Since when more could be offered; `undefined` when nothing more can. */
  readonly moreSinceMs: number | undefined;
}

/** The offer is raised only with so large a part of another slab available. */
const raiseMargin = 0.5;

/** The next offer. At the start `last` is `undefined`, and the offer does not wait. */
export function nextOffer(
  last: OfferState | undefined,
  snapshot: OfferSnapshot,
  settings: OfferSettings,
): OfferState {
  const atMost = slabsOf(spareBytes(snapshot, settings), settings);
  if (last === undefined) return { slabs: atMost, moreSinceMs: undefined };
  if (atMost < last.slabs) return { slabs: atMost, moreSinceMs: undefined };
  const surely = slabsOf(spareBytes(snapshot, settings) - raiseMargin * settings.slabBytes, settings);
  if (surely <= last.slabs) return { slabs: last.slabs, moreSinceMs: undefined };
  const moreSinceMs = last.moreSinceMs ?? snapshot.nowMs;
  if (snapshot.nowMs - moreSinceMs < settings.raiseAfterMs) return { slabs: last.slabs, moreSinceMs };
  return { slabs: surely, moreSinceMs: undefined };
}

function spareBytes(snapshot: OfferSnapshot, settings: OfferSettings): number {
  const spare = snapshot.availableBytes + snapshot.ownBytes - settings.floorBytes;
  return Math.min(spare, settings.maxBytes + snapshot.harvestedBytes);
}

function slabsOf(bytes: number, settings: OfferSettings): number {
  return Math.min(settings.slabsMax, Math.max(0, Math.floor(bytes / settings.slabBytes)));
}
