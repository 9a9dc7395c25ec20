/**
 * What a consumer does about its leases: a pure function from what it knows to what it should start now.
 *
 *   too few slabs held            -> request what is missing
 *   more than wanted              -> give back leases that are too much; let one end that is larger than that
 *   a lease nears its end         -> extend it; early enough to try again several times
 *   a session was lost, the lease
 *   still runs                    -> connect again; after a few failures give the lease back
 */

/** A lease is extended when this share of its time is left: three tries of a minute each for a lease of nine. */
export const extendShare = 1 / 3;
/** Failures to connect before a lease is given back: the producer is gone, others are not. */
export const connectFailuresMax = 3;
/** A lease with less time left is not worth a connection any more. */
export const usefulMsMin = 1000;

export type LeaseStatus = 'open' | 'lost' | 'busy' | 'revoked';

export interface LeaseView {
  /** Hexadecimal. */
  readonly id: string;
  readonly slabs: number;
  /** By the same clock as `nowMs`. */
  readonly endsAtMs: number;
  /** Open, or lost and to be connected; busy while an action on it is under way; revoked by its producer. */
  readonly status: LeaseStatus;
  /** When the next action may be tried, after a failure. */
  readonly notBeforeMs: number;
  readonly connectFailures: number;
}

export interface LeaseSituation {
  readonly nowMs: number;
  readonly wantedSlabs: number;
  /** Of one lease, when it is taken and after each extension. */
  readonly leaseMs: number;
  readonly leases: readonly LeaseView[];
  readonly requestUnderWay: boolean;
  readonly requestNotBeforeMs: number;
}

export type LeaseAction =
  | { readonly kind: 'request'; readonly slabs: number }
  | { readonly kind: 'extend'; readonly id: string; readonly seconds: number }
  | { readonly kind: 'connect'; readonly id: string }
  /** Give it back to the broker, and forget it. */
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
 * Gives back `surplus` slabs, or as many as whole leases have. A lease that is larger than what is left of that is not
 * extended: it ends, and what is wanted then is asked for anew.
 */
function shed(actions: readonly LeaseAction[], kept: readonly LeaseView[], surplus: number): LeaseAction[] {
  const isIdle = kept.filter(({ status }) => status !== 'busy');
  // What is lost anyway first, then large ones, so that few are touched.
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

/** First and longest pause after a failure. A broker that restarts is back in seconds; an hour's outage costs 120 calls. */
const retryMsMin = 250;
const retryMsMax = 30_000;

/**
 * Pause after the `failures`-th failure in a row (from 1): doubling, and spread so that consumers who lost the same
 * broker do not all come back at once.
 * @param random 0..1.
 */
export function retryDelayMs(failures: number, random: number): number {
  const full = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures - 1, 20));
  return full * (0.5 + random / 2);
}
