/**
 * Keeps leases for a user of slabs: takes them from the broker, opens sessions with producers, and keeps both going.
 *
 *   broker  <- request / extend / give back -  LeaseKeeper  - sessions -> producers
 *                                                  |
 *                                    the user of the slabs: a sealed cache, a block device
 *
 * Four times a second lease-policy.ts decides from a snapshot what to do, and this file carries it out. An open keeper
 * never fails: without a producer there are fewer slabs until others are leased, and without the broker leases run to
 * their end. A lost session loses its values. Its lease, if it still runs, is used again. This file is the only listener
 * for lost sessions.
 *
 * Only the clocks of the broker and the producers must agree. The keeper computes the end of a lease from the time of
 * its request by a monotonic clock, so a wrong clock here neither ends a lease nor prevents its extension.
 */
import { randomUUID } from 'node:crypto';
import type { LossReason, SlabSessionOptions } from '@exopool/native/internal';
import { ExopoolError, GiB, parseEndpoint, toExopoolError } from '@exopool/shared';
import type { LeaseGrant } from '../protocol/broker-client.js';
import { decide, retryDelayMs, type LeaseAction, type LeaseStatus } from './lease-policy.js';
import {
  defaultLeaseSeconds,
  usualSlabBytes,
  type LeaseInfo,
  type LeaseOptions,
  type LeasePlan,
  type LeaseStats,
} from './remote-memory.types.js';

/** The interval of decisions: a lost lease is replaced after it. A decision takes microseconds. */
const stepMs = 250;

/** The part of a session that a keeper uses; `SlabSession` of @exopool/native/internal is one. */
export interface LeasedSession {
  extend(ticket: Buffer): Promise<void>;
  release(): Promise<void>;
  onLost(callback: (reason: LossReason) => void): void;
}

/** The user of the slabs. Only the keeper listens for lost sessions; the user learns of each by `removeMemory`. */
export interface LeaseUser<S extends LeasedSession> {
  connect(options: SlabSessionOptions): Promise<S>;
  /** The slabs of this session may be used from now on. They belong to the producer with this key. */
  addMemory(session: S, producerKey: Buffer): void;
  /** The session was lost or its lease is given back: the user must forget everything in its slabs. */
  removeMemory(session: S): void;
}

/** Tests replace these. */
export interface LeaseKeeperDependencies {
  /** Milliseconds since any moment; never set. */
  readonly now: () => number;
  readonly random: () => number;
  /** Calls back every `ms` until the function that it returns is called. */
  readonly every: (ms: number, callback: () => void) => () => void;
}

interface Held<S> {
  readonly id: string;
  grant: LeaseGrant;
  /** By this process's clock; not after its true end. */
  endsAtMs: number;
  status: LeaseStatus;
  session: S | undefined;
  notBeforeMs: number;
  connectFailures: number;
  extendFailures: number;
  /** Its producer changed what was stored. */
  isTampered: boolean;
}

const realDependencies: LeaseKeeperDependencies = {
  now: () => performance.now(),
  random: Math.random,
  every: (ms, callback) => {
    const timer = setInterval(callback, ms).unref();
    return () => clearInterval(timer);
  },
};

export class LeaseKeeper<S extends LeasedSession> {
  readonly #user: LeaseUser<S>;
  readonly #options: LeaseOptions;
  readonly #by: LeaseKeeperDependencies;
  readonly #held = new Map<string, Held<S>>();
  /** Producers that changed what was stored, by their keys. */
  readonly #distrusted = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #counts = { requests: 0, extensions: 0, brokerFailures: 0, connectFailures: 0 };
  readonly #lost: Record<LossReason, number> = { revoked: 0, expired: 0, closed: 0 };
  readonly #stopTimer: () => void;
  #chargedBefore = 0;
  #requestId: string = randomUUID();
  /** When it was first sent under this id, and not answered since; `undefined`: not yet. */
  #requestedAtMs: number | undefined;
  #requestUnderWay = false;
  /** Requests and connections that failed since the last session was opened. */
  #failuresInRow = 0;
  #requestNotBeforeMs = 0;
  #lastFailure: string | undefined;
  #closing: Promise<void> | undefined;

  private constructor(user: LeaseUser<S>, options: LeaseOptions, by: LeaseKeeperDependencies) {
    this.#user = user;
    this.#options = options;
    this.#by = by;
    this.#stopTimer = by.every(stepMs, () => this.#step());
  }

  /**
   * Takes the first leases and opens their sessions.
   * @throws ExopoolError `EXOPOOL_NO_MEMORY`, or why the broker or producers cannot be reached, when fewer than
   * `minimumSlabs` could be opened; nothing stays leased then.
   */
  static async open<S extends LeasedSession>(
    user: LeaseUser<S>,
    options: LeaseOptions,
    by: Partial<LeaseKeeperDependencies> = {},
  ): Promise<LeaseKeeper<S>> {
    const minimum = options.minimumSlabs ?? 1;
    if (!Number.isInteger(options.slabs) || options.slabs < 1 || minimum > options.slabs) {
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        `slabs must be a whole number of at least 1 and of the minimum, ${minimum}`,
      );
    }
    const keeper = new LeaseKeeper(user, options, { ...realDependencies, ...by });
    let failure: unknown;
    await keeper.#request(options.slabs, minimum).catch((error: unknown) => {
      failure = error;
    });
    await Promise.all(keeper.#underWay);
    const { leasedSlabs } = keeper.stats();
    if (leasedSlabs >= minimum) return keeper;
    await keeper.close();
    if (failure !== undefined) throw toExopoolError(failure);
    const text = `${leasedSlabs} of at least ${minimum} slabs could be opened: ${keeper.#lastFailure ?? 'no reason given'}`;
    throw new ExopoolError('EXOPOOL_UNAVAILABLE', text);
  }

  leases(): LeaseInfo[] {
    return [...this.#held.values()].map(({ id, grant, session }) => ({
      id,
      endpoint: grant.endpoint,
      slabs: grant.slabs,
      slabBytes: grant.slabBytes,
      expiresAtMs: grant.expiresAtMs,
      open: session !== undefined,
      price: grant.price,
      charged: grant.charged,
    }));
  }

  stats(): LeaseStats {
    const leases = this.leases();
    return {
      leases: leases.length,
      leasedSlabs: leases.reduce((sum, lease) => sum + (lease.open ? lease.slabs : 0), 0),
      ...this.#counts,
      lost: { ...this.#lost },
      charged: this.#chargedBefore + leases.reduce((sum, lease) => sum + lease.charged, 0),
      lastFailure: this.#lastFailure,
    };
  }

  /** Gives every lease back. What cannot be given back ends by itself. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#giveUp());
  }

  /** The session's producer changed what was stored: its leases are given back, the broker is told why. */
  distrust(session: S): void {
    const liar = [...this.#held.values()].find((held) => held.session === session);
    if (liar === undefined) return;
    const { producerKey } = liar.grant;
    this.#distrusted.add(producerKey.toString('hex'));
    for (const held of this.#held.values()) {
      if (!held.grant.producerKey.equals(producerKey)) continue;
      held.isTampered = true;
      if (held.status !== 'busy') held.status = 'revoked';
    }
    this.#lastFailure = `the producer at ${liar.grant.endpoint} changed what was stored`;
  }

  async #giveUp(): Promise<void> {
    this.#stopTimer();
    await Promise.allSettled(this.#underWay);
    await this.#findLost();
    await Promise.allSettled([...this.#held.values()].map((held) => this.#return(held)));
  }

  /** A request whose answer was lost may have leased: asked again, the broker says what. */
  async #findLost(): Promise<void> {
    if (this.#requestedAtMs === undefined) return;
    const wish = { slabs: 1, seconds: this.#leaseSeconds, requestId: this.#requestId };
    const grants = await this.#options.broker.requestLease(wish).catch(() => []);
    for (const grant of grants) this.#hold(grant, this.#requestedAtMs + this.#leaseSeconds * 1000);
  }

  #step(): void {
    if (this.#closing !== undefined) return;
    const actions = decide({
      nowMs: this.#by.now(),
      wantedSlabs: this.#plan.slabs,
      leaseMs: this.#leaseSeconds * 1000,
      leases: [...this.#held.values()].map((held) => ({ ...held, slabs: held.grant.slabs })),
      requestUnderWay: this.#requestUnderWay,
      requestNotBeforeMs: this.#requestNotBeforeMs,
    });
    for (const action of actions) this.#start(this.#carryOut(action));
  }

  get #plan(): LeasePlan {
    return this.#options.plan?.() ?? this.#options;
  }

  /** The highest price for `slabs`, per GiB and hour, that keeps them and all others within the budget. */
  #maxPriceOf(slabs: number, extended?: Held<S>): number | undefined {
    const { maxPrice, budget } = this.#plan;
    if (budget === undefined) return maxPrice;
    const others = [...this.#held.values()].filter((held) => held !== extended);
    const spent = others.reduce(
      (sum, { grant }) => sum + grant.price * gibOf(grant.slabs, grant.slabBytes),
      0,
    );
    const slabBytes = (extended ?? others[0])?.grant.slabBytes ?? usualSlabBytes;
    const affordable = Math.max(0, budget - spent) / gibOf(slabs, slabBytes);
    return Math.min(maxPrice ?? Number.POSITIVE_INFINITY, affordable);
  }

  get #leaseSeconds(): number {
    return this.#options.leaseSeconds ?? defaultLeaseSeconds;
  }

  /** Follows work to its end, so that `close` can wait for it. Failures were noted where they happened. */
  #start(work: Promise<void>): void {
    const done = work.catch(() => undefined).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  async #carryOut(action: LeaseAction): Promise<void> {
    if (action.kind === 'request') return this.#request(action.slabs, 1);
    const held = this.#held.get(action.id)!;
    if (action.kind === 'return') return this.#return(held);
    return action.kind === 'connect' ? this.#connect(held) : this.#extend(held, action.seconds);
  }

  async #request(slabs: number, minimumSlabs: number): Promise<void> {
    this.#requestUnderWay = true;
    this.#counts.requests++;
    this.#requestedAtMs ??= this.#by.now();
    const endsAtMs = this.#requestedAtMs + this.#leaseSeconds * 1000;
    const maxPrice = this.#maxPriceOf(slabs);
    try {
      // A retry keeps its id until the broker has answered: an answer that was lost must not lease twice.
      const grants = await this.#options.broker.requestLease({
        slabs,
        minimumSlabs: Math.max(1, minimumSlabs),
        seconds: this.#leaseSeconds,
        requestId: this.#requestId,
        ...(maxPrice === undefined ? {} : { maxPrice }),
      });
      this.#renewRequest();
      for (const grant of grants) this.#take(this.#hold(grant, endsAtMs));
    } catch (error) {
      if (!isOutage(error)) this.#renewRequest();
      this.#delayRequests();
      this.#noteBrokerFailure(error);
      throw error;
    } finally {
      this.#requestUnderWay = false;
    }
  }

  #renewRequest(): void {
    this.#requestId = randomUUID();
    this.#requestedAtMs = undefined;
  }

  /** Takes nothing from a producer that changed values, whatever the broker thinks of it. */
  #take(held: Held<S>): void {
    if (held.isTampered) this.#delayRequests();
    this.#start(held.isTampered ? this.#return(held) : this.#connect(held));
  }

  #hold(grant: LeaseGrant, endsAtMs: number): Held<S> {
    const id = grant.leaseId.toString('hex');
    const fresh = { session: undefined, notBeforeMs: 0, connectFailures: 0, extendFailures: 0 };
    const isTampered = this.#distrusted.has(grant.producerKey.toString('hex'));
    const held: Held<S> = { id, grant, endsAtMs, ...fresh, isTampered, status: 'busy' };
    this.#held.set(id, held);
    return held;
  }

  async #connect(held: Held<S>): Promise<void> {
    held.status = 'busy';
    const { ticket, producerKey, endpoint } = held.grant;
    try {
      const { host, port } = parseEndpoint(endpoint);
      const session = await this.#user.connect({
        host,
        port,
        ticket,
        producerKey,
        seed: this.#options.identity.seed,
      });
      held.session = session;
      held.status = held.isTampered ? 'revoked' : 'open';
      held.connectFailures = 0;
      this.#failuresInRow = 0;
      this.#user.addMemory(session, producerKey);
      session.onLost((reason) => this.#onLost(held, session, reason));
    } catch (error) {
      held.status = isOutage(error) ? 'lost' : 'revoked';
      held.connectFailures++;
      held.notBeforeMs = this.#retryAtMs(held.connectFailures);
      // The broker may offer the same producer again.
      this.#delayRequests();
      this.#counts.connectFailures++;
      this.#lastFailure = toExopoolError(error).message;
    }
  }

  #onLost(held: Held<S>, session: S, reason: LossReason): void {
    this.#lost[reason]++;
    this.#user.removeMemory(session);
    held.session = undefined;
    held.status = reason === 'closed' ? 'lost' : 'revoked';
  }

  async #extend(held: Held<S>, seconds: number): Promise<void> {
    held.status = 'busy';
    try {
      const { grant } = held;
      const maxPrice = this.#maxPriceOf(grant.slabs, held);
      held.grant = await this.#options.broker.extendLease(grant, seconds, maxPrice);
      held.endsAtMs += held.grant.expiresAtMs - grant.expiresAtMs;
      await held.session?.extend(held.grant.ticket);
      this.#counts.extensions++;
      held.extendFailures = 0;
    } catch (error) {
      held.extendFailures++;
      held.notBeforeMs = this.#retryAtMs(held.extendFailures);
      this.#noteBrokerFailure(error);
    }
    // Unless the session was lost meanwhile.
    if (held.session !== undefined) held.status = held.isTampered ? 'revoked' : 'open';
  }

  async #return(held: Held<S>): Promise<void> {
    const { session } = held;
    held.status = 'busy';
    held.session = undefined;
    if (session !== undefined) {
      this.#user.removeMemory(session);
      await session.release();
    }
    this.#held.delete(held.id);
    this.#chargedBefore += held.grant.charged;
    try {
      this.#chargedBefore -= await this.#options.broker.releaseLease(held.grant.leaseId, {
        tampered: held.isTampered,
      });
    } catch (error) {
      // It ends by itself; past its end the broker may not even know it any more.
      if (held.endsAtMs > this.#by.now()) this.#noteBrokerFailure(error);
    }
  }

  #delayRequests(): void {
    this.#failuresInRow++;
    this.#requestNotBeforeMs = this.#retryAtMs(this.#failuresInRow);
  }

  #retryAtMs(failures: number): number {
    return this.#by.now() + retryDelayMs(failures, this.#by.random());
  }

  #noteBrokerFailure(error: unknown): void {
    this.#counts.brokerFailures++;
    this.#lastFailure = toExopoolError(error).message;
  }
}

function gibOf(slabs: number, slabBytes: number): number {
  return (slabs * slabBytes) / GiB;
}

/** Trying the same again may help. */
function isOutage(error: unknown): boolean {
  const { code } = toExopoolError(error);
  return code === 'EXOPOOL_UNAVAILABLE' || code === 'EXOPOOL_TIMEOUT' || code === 'EXOPOOL_IO';
}
