/**
 * Decides what to do about a consumer's leases: a pure function from a situation to actions.
 *
 *   too few slabs                 -> request the missing ones
 *   too many slabs                -> give back excess leases; let a lease end that is larger than the excess
 *   a lease nears its end         -> extend it, early enough for several retries
 *   a session was lost, its lease
 *   still runs                    -> connect again; after some failures give the lease back
 */

/** A lease is extended when this share of its time is left: three tries of a minute each for a lease of nine. */
export const extendShare = 1 / 3;
/** After so many failures to connect, a lease is given back: other producers may be reachable. */
export const connectFailuresMax = 3;
/** A lease with less time left is not worth a new connection. */
export const usefulMsMin = 1000;

export type LeaseStatus = 'open' | 'lost' | 'busy' | 'revoked';

export interface LeaseView {
  /** Hexadecimal. */
  readonly id: string;
  readonly slabs: number;
  /** By the same clock as `nowMs`. */
  readonly endsAtMs: number;
  /** `lost` leases need a new session, `busy` ones have an action in flight, `revoked` ones must be given back. */
  readonly status: LeaseStatus;
  /** The earliest time of the next action, after a failure. */
  readonly notBeforeMs: number;
  readonly connectFailures: number;
}

export interface LeaseSituation {
  readonly nowMs: number;
  readonly wantedSlabs: number;
  /** The length of a lease, at first and after each extension. */
  readonly leaseMs: number;
  readonly leases: readonly LeaseView[];
  readonly requestUnderWay: boolean;
  readonly requestNotBeforeMs: number;
}

export type LeaseAction =
  | { readonly kind: 'request'; readonly slabs: number }
  | { readonly kind: 'extend'; readonly id: string; readonly seconds: number }
  | { readonly kind: 'connect'; readonly id: string }
  /** Give the lease back to the broker and forget it. */
  | { readonly kind: 'return'; readonly id: string };

export function decide(situation: LeaseSituation): LeaseAction[] {
  const actions = situation.leases.flatMap((lease) => decideLease(lease, situation));
  const returned = new Set(actions.filter((action) => action.kind === 'return').map((action) => action.id));
  const kept = situation.leases.filter((lease) => !returned.has(lease.id));
  const held = kept.reduce((sum, lease) => sum + lease.slabs, 0);
  const missing = situation.wantedSlabs - held;
  if (missing < 0) return shed(actions, kept, -missing);
  const mayRequest = !situation.requestUnderWay && situation.nowMs >= situation.requestNotBeforeMs;
  if (missing > 0 && mayRequest) actions.push({ kind: 'request', slabs: missing });
  return actions;
}

/**
 * Gives back whole leases with up to `surplus` slabs. When all others are larger than the rest, one of them is not
 * extended; after its end the missing slabs are requested again.
 */
function shed(actions: readonly LeaseAction[], kept: readonly LeaseView[], surplus: number): LeaseAction[] {
  const isIdle = kept.filter(({ status }) => status !== 'busy');
  // Lost leases first, then large ones, so that few leases change.
  const order = (lease: LeaseView): number => (lease.status === 'lost' ? Number.MAX_VALUE : lease.slabs);
  const returned = new Set<string>();
  let left = surplus;
  for (const lease of isIdle.sort((a, b) => order(b) - order(a))) {
    if (lease.slabs > left) continue;
    left -= lease.slabs;
    returned.add(lease.id);
  }
  const larger = kept.filter(({ id, slabs }) => left > 0 && slabs > left && !returned.has(id));
  const ending = larger.sort((a, b) => a.endsAtMs - b.endsAtMs)[0]?.id;
  const others = actions.filter(
    (action) =>
      action.kind === 'request' ||
      !(returned.has(action.id) || (action.kind === 'extend' && action.id === ending)),
  );
  return [...others, ...[...returned].map((id) => ({ kind: 'return', id }) as const)];
}

function decideLease(lease: LeaseView, { nowMs, leaseMs }: LeaseSituation): LeaseAction[] {
  const leftMs = lease.endsAtMs - nowMs;
  if (lease.status === 'busy') return [];
  if (lease.status === 'revoked' || leftMs <= 0) return [{ kind: 'return', id: lease.id }];
  if (lease.status === 'lost') {
    const hopeless =
      lease.connectFailures >= connectFailuresMax || leftMs < Math.min(usefulMsMin, leaseMs / 10);
    if (hopeless) return [{ kind: 'return', id: lease.id }];
    return nowMs >= lease.notBeforeMs ? [{ kind: 'connect', id: lease.id }] : [];
  }
  if (leftMs > leaseMs * extendShare || nowMs < lease.notBeforeMs) return [];
  return [{ kind: 'extend', id: lease.id, seconds: Math.max(1, Math.round((leaseMs - leftMs) / 1000)) }];
}

/** First and longest pause after a failure: a restarted broker is found within seconds, and an outage costs 120 calls an hour. */
const retryMsMin = 250;
const retryMsMax = 30_000;

/**
 * The pause after the `failures`-th failure in a row (from 1): exponential backoff with jitter, so that consumers do not
 * all come back at once after an outage.
 * @param random 0..1.
 */
export function retryDelayMs(failures: number, random: number): number {
  const full = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures - 1, 20));
  return full * (0.5 + random / 2);
}
