/**
 * The market as a state machine: producers, their offers, and leases. It never leases a slab twice at a time.
 *
 * Time, randomness and storage come in as arguments. A call takes effect as a whole, or throws and changes nothing.
 *
 *            request              extend (serial n → n+1)
 *   consumer ───────▶ granted ◀──────────────┐
 *                      │  └──────────────────┘
 *                      ├── release ──▶ released   the unused time is refunded
 *                      └── end + clockSkewMs ──▶ ended ── settledLifeMs ──▶ forgotten, its balance kept
 *
 * A granted lease counts against its producer's offer until it is released, or until its end plus the largest
 * difference of clocks. Calls are idempotent, so that clients may retry them: a request by its request id, an extension
 * by the serial of its ticket, a release by the id of its lease.
 */
import { ExopoolError, type Identity } from '@exopool/shared';
import {
  clockSkewMs,
  leasesPerRequestMax,
  liveLeasesMax,
  producersMax,
  producerSilenceMs,
  prunedPerRequestMax,
  releasedPerReportMax,
  settledLifeMs,
} from '../protocol/limits.js';
import { signTicket } from '../protocol/ticket.js';
import {
  postings,
  priceTerm,
  refundTerms,
  toDollars,
  type LeaseTerm,
  type NanoDollars,
} from './market/billing.js';
import type {
  Extension,
  Grant,
  LeaseBookSettings,
  LeaseRequest,
  MarketView,
  UsageReport,
} from './lease-book-types.js';
import { place, type ProducerOffer } from './market/placement.js';
import { priceNow } from './market/pricing.js';
import { Reputation } from './market/reputation.js';
import type { LeaseEnd, LeaseRecord, Repository } from './repository.js';

interface LastReport extends UsageReport {
  readonly atMs: number;
  /** The last released lease in the reply to this report; `undefined` when the replies listed all, and begin again. */
  readonly toldUpTo: LeaseEnd | undefined;
}

export class LeaseBook {
  readonly #repository: Repository;
  readonly #identity: Identity;
  readonly #settings: LeaseBookSettings;
  readonly #randomBytes: (count: number) => Buffer;
  /** By producer, not stored: after a restart each producer reports within a second. Until then it gets no lease. */
  readonly #reports = new Map<string, LastReport>();
  readonly #endpoints: Map<string, string>;
  readonly #reputation = new Reputation();

  constructor(
    repository: Repository,
    identity: Identity,
    settings: LeaseBookSettings,
    randomBytes: (count: number) => Buffer,
  ) {
    this.#repository = repository;
    this.#identity = identity;
    this.#settings = settings;
    this.#randomBytes = randomBytes;
    this.#endpoints = new Map(repository.producers().map(({ key, endpoint }) => [key, endpoint]));
  }

  /** @throws ExopoolError `EXOPOOL_INVALID` for another size of slabs, `EXOPOOL_DENIED` when the market is full. */
  registerProducer(producer: string, endpoint: string, slabBytes: number, nowMs: number): void {
    if (slabBytes !== this.#settings.slabBytes) {
      const message = `the broker's slabs have ${this.#settings.slabBytes} bytes, the producer's ${slabBytes}: start both with the same --slab-mib`;
      throw new ExopoolError('EXOPOOL_INVALID', message);
    }
    const isFull = !this.#endpoints.has(producer) && this.#endpoints.size >= producersMax;
    if (isFull && !this.#forgetIdle(nowMs)) {
      throw new ExopoolError(
        'EXOPOOL_DENIED',
        `the broker already has ${producersMax} producers, its limit: use another broker`,
      );
    }
    this.#repository.saveProducer({ key: producer, endpoint });
    this.#endpoints.set(producer, endpoint);
  }

  /** @returns the slabs leased from this producer, and the leases that were given back. */
  reportUsage(
    producer: string,
    report: UsageReport,
    nowMs: number,
  ): { leasedSlabs: number; released: string[] } {
    if (!this.#endpoints.has(producer)) {
      throw new ExopoolError(
        'EXOPOOL_NOT_FOUND',
        'this producer is not registered: register before reporting',
      );
    }
    const from = this.#reports.get(producer)?.toldUpTo ?? { endMs: nowMs - clockSkewMs + 1, id: '' };
    const released = this.#repository.releasedLeases(producer, from, releasedPerReportMax);
    const toldUpTo = released.length < releasedPerReportMax ? undefined : released.at(-1);
    this.#reports.set(producer, { ...report, atMs: nowMs, toldUpTo });
    return {
      leasedSlabs: this.#live(nowMs).slabsByProducer.get(producer) ?? 0,
      released: released.map(({ id }) => id),
    };
  }

  /** @throws ExopoolError `EXOPOOL_NO_MEMORY` when fewer slabs than the minimum are free, or the price is too high. */
  requestLease(consumer: string, request: LeaseRequest, nowMs: number): Grant[] {
    return this.#repository.transaction(() => {
      const before = this.#repository.leasesOfRequest(consumer, request.requestId);
      if (before.length > 0) return this.#repeat(before, nowMs);
      const price = this.#acceptablePrice(request.maxPrice);
      const live = this.#live(nowMs);
      if (live.leases + leasesPerRequestMax > liveLeasesMax) {
        throw new ExopoolError(
          'EXOPOOL_NO_MEMORY',
          `the broker already has ${liveLeasesMax} leases, its limit: try later, or use another broker`,
        );
      }
      const offers = this.#offers(consumer, live.slabsByProducer, nowMs);
      const placements = place(offers, { ...request, producersMax: leasesPerRequestMax });
      if (placements.length === 0) {
        const free = offers.reduce((sum, offer) => sum + offer.freeSlabs, 0);
        const message = `at least ${request.minimumSlabs} slabs are wanted and ${free} are free: ask for fewer, or try later`;
        throw new ExopoolError('EXOPOOL_NO_MEMORY', message);
      }
      this.#repository.prune(nowMs - settledLifeMs, prunedPerRequestMax);
      return placements.map(({ producer, slabs }) =>
        this.#grant(consumer, producer, slabs, request, price, nowMs),
      );
    });
  }

  /**
   * Moves the end of a lease by `seconds`.
   * @throws ExopoolError `EXOPOOL_NOT_FOUND`, `EXOPOOL_DENIED` (not its consumer), `EXOPOOL_TICKET_EXPIRED`,
   *   `EXOPOOL_NO_MEMORY` (price too high, or its producer needs the memory back), `EXOPOOL_INVALID`.
   */
  extendLease(consumer: string, extension: Extension, nowMs: number): Grant {
    return this.#repository.transaction(() => {
      const lease = this.#owned(consumer, extension.leaseId);
      const last = lastTerm(lease);
      if (extension.serial === last.serial - 1) return this.#asGrant(lease);
      if (extension.serial !== last.serial) {
        const message = `the newest ticket of this lease has serial ${last.serial}, not ${extension.serial}: extend with that ticket`;
        throw new ExopoolError('EXOPOOL_INVALID', message);
      }
      if (lease.released !== undefined || last.endMs <= nowMs) {
        throw new ExopoolError('EXOPOOL_TICKET_EXPIRED', 'the lease has ended: request a new one');
      }
      const price = this.#acceptablePrice(extension.maxPrice);
      this.#refuseOverdrawn(lease.producer, nowMs);
      const endMs = last.endMs + extension.seconds * 1000;
      if (endMs > nowMs + this.#settings.leaseSecondsMax * 1000) {
        const message = `a lease must end within ${this.#settings.leaseSecondsMax} s from now: extend by less, or later`;
        throw new ExopoolError('EXOPOOL_INVALID', message);
      }
      const term = this.#term(lease.slabs, { serial: last.serial + 1, startMs: last.endMs, endMs, price });
      this.#repository.addTerm(lease.id, term);
      this.#charge(lease, term, nowMs);
      return this.#asGrant({ ...lease, terms: [...lease.terms, term] });
    });
  }

  /** Ends a lease now. @returns the refund; the same one again when it is repeated. */
  releaseLease(consumer: string, leaseId: string, nowMs: number, isTampered = false): NanoDollars {
    return this.#repository.transaction(() => {
      const lease = this.#owned(consumer, leaseId);
      if (isTampered) this.#reputation.complain(consumer, lease.producer);
      if (lease.released !== undefined) return lease.released.refunded;
      const refund = refundTerms(lease.terms, nowMs);
      this.#repository.markReleased(leaseId, nowMs, refund.amount);
      if (refund.amount > 0n) {
        const lines = postings(lease, -refund.amount, -refund.commission);
        this.#repository.post({ timeMs: nowMs, kind: 'refund', leaseId, postings: lines });
      }
      return refund.amount;
    });
  }

  market(nowMs: number): MarketView {
    const reports = [...this.#reports.values()].filter((report) => isFresh(report, nowMs));
    const live = this.#live(nowMs);
    const totals = this.#repository.totals();
    const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
    return {
      timeMs: nowMs,
      price: priceNow(this.#settings),
      spotPrice: this.#settings.spotPrice,
      producers: reports.length,
      offeredSlabs: sum(reports.map((report) => report.offeredSlabs)),
      harvestedBytes: sum(reports.map((report) => report.harvestedBytes)),
      leasedSlabs: sum(live.slabsByProducer.values()),
      leases: live.leases,
      revenue: totals.revenue,
      commission: totals.commission,
    };
  }

  /** Forgets a silent producer without leases. If it still exists, it registers again. */
  #forgetIdle(nowMs: number): boolean {
    const { slabsByProducer } = this.#live(nowMs);
    const idle = [...this.#endpoints.keys()].find(
      (producer) => !slabsByProducer.has(producer) && !isFresh(this.#reports.get(producer), nowMs),
    );
    if (idle === undefined) return false;
    this.#repository.removeProducer(idle);
    this.#endpoints.delete(idle);
    this.#reports.delete(idle);
    this.#reputation.forget(idle);
    return true;
  }

  #live(nowMs: number): ReturnType<Repository['live']> {
    return this.#repository.live(nowMs - clockSkewMs);
  }

  #offers(consumer: string, leased: ReadonlyMap<string, number>, nowMs: number): ProducerOffer[] {
    return [...this.#reports]
      .filter(
        ([producer, report]) => isFresh(report, nowMs) && !this.#reputation.isAvoided(consumer, producer),
      )
      .map(([producer, report]) => ({
        producer,
        isDoubtful: this.#reputation.isDoubtful(producer),
        freeSlabs: Math.max(0, report.offeredSlabs - (leased.get(producer) ?? 0)),
      }));
  }

  #acceptablePrice(maxPrice: NanoDollars): NanoDollars {
    const price = priceNow(this.#settings);
    if (maxPrice === 0n || price <= maxPrice) return price;
    const message = `a GiB costs ${toDollars(price)} $ an hour, more than the maximum of ${toDollars(maxPrice)} $: raise it, or try later`;
    throw new ExopoolError('EXOPOOL_NO_MEMORY', message);
  }

  /** A producer that offers fewer slabs than it has leased needs memory back, so its leases must end. */
  #refuseOverdrawn(producer: string, nowMs: number): void {
    const report = this.#reports.get(producer);
    if (!isFresh(report, nowMs)) return;
    const leased = this.#live(nowMs).slabsByProducer.get(producer) ?? 0;
    if (report.offeredSlabs < leased) {
      throw new ExopoolError('EXOPOOL_NO_MEMORY', 'the producer needs its memory back: request a new lease');
    }
  }

  #grant(
    consumer: string,
    producer: string,
    slabs: number,
    request: LeaseRequest,
    price: NanoDollars,
    nowMs: number,
  ): Grant {
    const endMs = nowMs + request.seconds * 1000;
    const term = this.#term(slabs, { serial: 0, startMs: nowMs, endMs, price });
    const lease: LeaseRecord = {
      id: this.#randomBytes(16).toString('hex'),
      producer,
      consumer,
      slabs,
      slabBytes: this.#settings.slabBytes,
      requestId: request.requestId,
      terms: [term],
      released: undefined,
    };
    this.#repository.insertLease(lease);
    this.#charge(lease, term, nowMs);
    return this.#asGrant(lease);
  }

  #term(slabs: number, span: Pick<LeaseTerm, 'serial' | 'startMs' | 'endMs' | 'price'>): LeaseTerm {
    const { slabBytes, commissionShare } = this.#settings;
    return priceTerm({ ...span, slabs, slabBytes, commissionShare });
  }

  #charge(lease: LeaseRecord, term: LeaseTerm, nowMs: number): void {
    const lines = postings(lease, term.charged, term.commission);
    this.#repository.post({ timeMs: nowMs, kind: 'charge', leaseId: lease.id, postings: lines });
  }

  #owned(consumer: string, leaseId: string): LeaseRecord {
    const lease = this.#repository.lease(leaseId);
    if (lease === undefined) throw new ExopoolError('EXOPOOL_NOT_FOUND', `there is no lease ${leaseId}`);
    if (lease.consumer === consumer) return lease;
    throw new ExopoolError('EXOPOOL_DENIED', `lease ${leaseId} belongs to another consumer`);
  }

  #repeat(leases: readonly LeaseRecord[], nowMs: number): Grant[] {
    if (leases.every((lease) => lease.released === undefined && lastTerm(lease).endMs > nowMs)) {
      return leases.map((lease) => this.#asGrant(lease));
    }
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      'this request id was used for leases that have ended: use a new one',
    );
  }

  #asGrant(lease: LeaseRecord): Grant {
    const term = lastTerm(lease);
    const ticket = signTicket(
      {
        leaseId: Buffer.from(lease.id, 'hex'),
        producerKey: Buffer.from(lease.producer, 'hex'),
        consumerKey: Buffer.from(lease.consumer, 'hex'),
        slabs: lease.slabs,
        slabBytes: lease.slabBytes,
        issuedAtMs: lease.terms[0]!.startMs,
        expiresAtMs: term.endMs,
        serial: term.serial,
      },
      this.#identity,
    );
    return { lease, term, endpoint: this.#endpoints.get(lease.producer) ?? '', ticket };
  }
}

/** A report from the future was made before the clock was set back, so its age is unknown. */
function isFresh(report: LastReport | undefined, nowMs: number): report is LastReport {
  return report !== undefined && Math.abs(nowMs - report.atMs) <= producerSilenceMs;
}

function lastTerm(lease: LeaseRecord): LeaseTerm {
  return lease.terms[lease.terms.length - 1]!;
}
