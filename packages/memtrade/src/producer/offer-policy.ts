/**
 * How many slabs to offer: what the machine can spare.
 *
 *   spare   = available + memory in our own slabs − floor
 *   offered = min(spare, cap + harvested) in whole slabs
 *
 * Harvested memory is part of what is available: it widens the cap, it is not added to `spare` a second time. Memory
 * that consumers use in our slabs is not available to anybody else, but it is to us.
 *
 * Less memory lowers the offer at once, since the application needs it. More memory raises it only when it stays for
 * a while and reaches half a slab beyond the boundary: so the offer does not flap when memory moves around one.
 * Pure: the last state and a snapshot give the next state.
 */

export interface OfferSettings {
  readonly slabBytes: number;
  /** Left to the machine. */
  readonly floorBytes: number;
  /** Most free memory to offer beside what is harvested. */
  readonly maxBytes: number;
  /** Most slabs that may be offered whatever is there. */
  readonly slabsMax: number;
  /** How long more must be there before it is offered. */
  readonly raiseAfterMs: number;
}

export interface OfferSnapshot {
  readonly nowMs: number;
  /** The machine's available memory. */
  readonly availableBytes: number;
  /** Memory used by our slabs. */
  readonly ownBytes: number;
  readonly harvestedBytes: number;
}

export interface OfferState {
  readonly slabs: number;
  /** Since when more could be offered; `undefined` when it could not. */
  readonly moreSinceMs: number | undefined;
}

/** Share of a slab that must be there beyond a boundary before it counts as more. */
const raiseMargin = 0.5;

/** The next offer; `last` is `undefined` at the start, when nothing has to be waited for. */
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
