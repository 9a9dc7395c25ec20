import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExopoolError, Identity } from '@exopool/shared';
import {
  clockSkewMs,
  producersMax,
  producerSilenceMs,
  releasedPerReportMax,
  settledLifeMs,
} from '../protocol/limits.js';
import { openTicket } from '../protocol/ticket.js';
import { LeaseBook } from './lease-book.js';
import type { Grant } from './lease-book-types.js';
import { fromDollars } from './market/billing.js';
import { SqliteRepository } from './sqlite-repository.js';

const identity = new Identity(Buffer.alloc(32, 7));
const producers = [1, 2, 3].map((fill) => Buffer.alloc(32, fill).toString('hex'));
const consumers = [8, 9].map((fill) => Buffer.alloc(32, fill).toString('hex'));
const [producer, consumer] = [producers[0]!, consumers[0]!];
const startMs = 1_700_000_000_000;
const settings = {
  slabBytes: 64 << 20,
  spotPrice: fromDollars(0.02),
  priceShare: 0.25,
  commissionShare: 0.05,
  leaseSecondsMax: 3600,
};

let folder: string;
let repository: SqliteRepository;
let book: LeaseBook;

const open = (path: string): void => {
  repository = SqliteRepository.open(path);
  book = new LeaseBook(repository, identity, settings, randomBytes);
};
const report = (key: string, offeredSlabs: number, nowMs: number): ReturnType<LeaseBook['reportUsage']> =>
  book.reportUsage(key, { offeredSlabs, harvestedBytes: 0, cpuLoad: 0 }, nowMs);
const request = (key: string, slabs: number, nowMs: number, more: object = {}): Grant[] =>
  book.requestLease(
    key,
    { slabs, minimumSlabs: 1, seconds: 60, maxPrice: 0n, requestId: '', ...more },
    nowMs,
  );
const withCode = (code: string): unknown => expect.objectContaining({ code });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-book-'));
  open(join(folder, 'broker.sqlite'));
  for (const key of producers)
    book.registerProducer(key, `127.0.0.1:1${key[1]!}`, settings.slabBytes, startMs);
});
afterEach(() => {
  repository.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('LeaseBook', () => {
  it('grants a signed lease and charges for it', () => {
    report(producer, 10, startMs);
    const [grant] = request(consumer, 4, startMs);
    const ticket = openTicket(grant!.ticket, identity.publicKey, startMs);
    expect(ticket).toMatchObject({ slabs: 4, serial: 0, slabBytes: 64 << 20, expiresAtMs: startMs + 60_000 });
    expect(ticket.consumerKey.toString('hex')).toBe(consumer);
    expect(book.market(startMs)).toMatchObject({ leases: 1, leasedSlabs: 4, offeredSlabs: 10, producers: 1 });
    // 4 × 1/16 GiB for a minute at 0.005 $/GiB·h.
    expect(book.market(startMs).revenue).toBe(20_833n);
  });

  it('spares a consumer the producer that it complained of', () => {
    report(producer, 10, startMs);
    const [grant] = request(consumer, 4, startMs);
    book.releaseLease(consumer, grant!.lease.id, startMs, true);
    expect(() => request(consumer, 4, startMs)).toThrow(withCode('EXOPOOL_NO_MEMORY'));
    expect(request(consumers[1]!, 4, startMs)).toHaveLength(1);
    report(producers[1]!, 5, startMs);
    expect(request(consumer, 8, startMs).map(({ lease }) => [lease.producer, lease.slabs])).toEqual([
      [producers[1], 5],
    ]);
  });

  it('repeats a request and an extension without doing them twice', () => {
    report(producer, 10, startMs);
    const [first] = request(consumer, 4, startMs, { requestId: 'once' });
    const [again] = request(consumer, 4, startMs + 5, { requestId: 'once' });
    expect(again!.lease.id).toBe(first!.lease.id);
    expect(book.market(startMs).leasedSlabs).toBe(4);

    const extension = { leaseId: first!.lease.id, seconds: 30, maxPrice: 0n, serial: 0 };
    const extended = book.extendLease(consumer, extension, startMs + 10);
    expect(extended.term).toMatchObject({ serial: 1, endMs: startMs + 90_000 });
    expect(book.extendLease(consumer, extension, startMs + 11).term).toEqual(extended.term);
    expect(() => book.extendLease(consumer, { ...extension, serial: 7 }, startMs)).toThrow(
      withCode('EXOPOOL_INVALID'),
    );

    book.releaseLease(consumer, first!.lease.id, startMs + 20);
    expect(() => request(consumer, 4, startMs + 30, { requestId: 'once' })).toThrow(
      withCode('EXOPOOL_INVALID'),
    );
  });

  it('refunds what is given back, once, and tells the producer', () => {
    report(producer, 10, startMs);
    const [grant] = request(consumer, 4, startMs);
    const refund = book.releaseLease(consumer, grant!.lease.id, startMs + 30_000);
    expect(refund).toBe(10_416n);
    expect(book.releaseLease(consumer, grant!.lease.id, startMs + 40_000)).toBe(refund);
    expect(repository.totals().balance).toBe(0n);
    expect(report(producer, 10, startMs + 31_000)).toEqual({ leasedSlabs: 0, released: [grant!.lease.id] });
    expect(report(producer, 10, startMs + 60_000 + clockSkewMs).released).toEqual([]);
  });

  it('forgets leases that are settled for long, and keeps what they came to', () => {
    report(producer, 10, startMs);
    const ids = [60, 60, 61].map((seconds) => request(consumer, 1, startMs, { seconds })[0]!.lease.id);
    book.releaseLease(consumer, ids[0]!, startMs + 30_000);
    const totals = repository.totals();
    const kept = (): (string | undefined)[] => ids.map((id) => repository.lease(id)?.id);
    const later = (nowMs: number): unknown => (report(producer, 10, nowMs), request(consumer, 1, nowMs));

    later(startMs + 60_000 + settledLifeMs - 1);
    expect(kept()).toEqual(ids);
    later(startMs + 60_000 + settledLifeMs);
    expect(kept()).toEqual([undefined, undefined, ids[2]]);
    expect(repository.totals().balance).toBe(0n);
    expect(repository.totals().revenue).toBeGreaterThan(totals.revenue);
  });

  it('tells a producer of every lease that was given back, however many they are', () => {
    const ids = Array.from({ length: releasedPerReportMax + 44 }, (_, index) => `id ${index}`);
    const slabs = { slabs: 1, slabBytes: settings.slabBytes };
    repository.transaction(() => {
      for (const [index, id] of ids.entries()) {
        const endMs = startMs + 600_000 + index;
        const term = { serial: 0, startMs, endMs, price: 1n, charged: 0n, commission: 0n };
        const parties = { producer, consumer, requestId: '' };
        repository.insertLease({ id, ...parties, ...slabs, terms: [term], released: undefined });
        repository.markReleased(id, startMs, 0n);
      }
    });
    const told = (nowMs: number): string[] => report(producer, 10, nowMs).released;
    const [first, second] = [told(startMs + 1000), told(startMs + 2000)];
    expect(first).toHaveLength(releasedPerReportMax);
    expect(new Set([...first, ...second])).toEqual(new Set(ids));
    // And from the start, since a reply may be lost.
    expect(told(startMs + 3000)).toEqual(first);
  });

  it('makes room for new producers: who is silent and holds no lease is forgotten', () => {
    const register = (key: string): void =>
      book.registerProducer(key, '127.0.0.1:9', settings.slabBytes, startMs);
    const nameOf = (index: number): string => `f${index.toString(16).padStart(63, '0')}`;
    repository.transaction(() => {
      for (let index = producers.length; index < producersMax; index += 1) register(nameOf(index));
    });
    report(producer, 10, startMs - producerSilenceMs - 1);
    report(producers[1]!, 10, startMs);
    request(consumer, 1, startMs - producerSilenceMs - 1);
    for (let index = 0; index < 5; index += 1) register(nameOf(producersMax + index));
    // The one has a lease, the other reports; the third is gone, until it registers again.
    for (const key of producers.slice(0, 2)) expect(report(key, 10, startMs).released).toEqual([]);
    expect(() => report(producers[2]!, 10, startMs)).toThrow(withCode('EXOPOOL_NOT_FOUND'));
    register(producers[2]!);
    expect(repository.producers()).toHaveLength(producersMax);
  });

  it('refuses what is not theirs, not there, ended, too long or too dear', () => {
    report(producer, 10, startMs);
    const [grant] = request(consumer, 4, startMs);
    const id = grant!.lease.id;
    const extension = { leaseId: id, seconds: 30, maxPrice: 0n, serial: 0 };
    expect(() => book.extendLease(consumers[1]!, extension, startMs)).toThrow(withCode('EXOPOOL_DENIED'));
    expect(() => book.releaseLease(consumers[1]!, id, startMs)).toThrow(withCode('EXOPOOL_DENIED'));
    expect(() => book.releaseLease(consumer, 'ff', startMs)).toThrow(withCode('EXOPOOL_NOT_FOUND'));
    expect(() => book.extendLease(consumer, { ...extension, seconds: 3600 }, startMs)).toThrow(
      /within 3600 s from now/,
    );
    expect(() => book.extendLease(consumer, extension, startMs + 60_000)).toThrow(
      withCode('EXOPOOL_TICKET_EXPIRED'),
    );
    expect(() => request(consumer, 1, startMs, { maxPrice: 1n })).toThrow(/a GiB costs 0.005/);
    expect(() => book.registerProducer(producer, 'h:1', 1 << 20, startMs)).toThrow(
      /slabs have 67108864 bytes/,
    );
    expect(() => report('ab', 1, startMs)).toThrow(withCode('EXOPOOL_NOT_FOUND'));
  });

  it('does not place on the silent, nor extend where memory is needed back', () => {
    report(producer, 10, startMs);
    const [grant] = request(consumer, 4, startMs);
    expect(() => request(consumer, 1, startMs + producerSilenceMs + 1)).toThrow(
      withCode('EXOPOOL_NO_MEMORY'),
    );
    report(producer, 3, startMs + 10);
    const extension = { leaseId: grant!.lease.id, seconds: 30, maxPrice: 0n, serial: 0 };
    expect(() => book.extendLease(consumer, extension, startMs + 20)).toThrow(/needs its memory back/);
  });

  it('places on the silent no more when the clock was set back meanwhile', () => {
    report(producer, 10, startMs);
    expect(() => request(consumer, 1, startMs - 3_600_000)).toThrow(withCode('EXOPOOL_NO_MEMORY'));
    report(producer, 10, startMs - 3_600_000);
    expect(request(consumer, 1, startMs - 3_600_000)).toHaveLength(1);
  });

  it('counts a lease until clocks that are behind have reached its end', () => {
    report(producer, 4, startMs);
    request(consumer, 4, startMs);
    const endMs = startMs + 60_000;
    report(producer, 4, endMs + clockSkewMs - 1);
    expect(() => request(consumer, 1, endMs + clockSkewMs - 1)).toThrow(withCode('EXOPOOL_NO_MEMORY'));
    expect(request(consumer, 1, endMs + clockSkewMs)).toHaveLength(1);
  });
});

/** What a random user of the market does next. */
type Step =
  | { readonly kind: 'report'; readonly producer: number; readonly slabs: number }
  | {
      readonly kind: 'request';
      readonly consumer: number;
      readonly slabs: number;
      readonly seconds: number;
      readonly id: number;
    }
  | { readonly kind: 'extend' | 'release'; readonly lease: number; readonly seconds: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'restart' };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('report' as const), producer: fc.nat(2), slabs: fc.nat(20) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('request' as const),
      consumer: fc.nat(1),
      slabs: fc.integer({ min: 1, max: 25 }),
      seconds: fc.integer({ min: 1, max: 60 }),
      id: fc.nat(5),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('extend' as const, 'release' as const),
      lease: fc.nat(30),
      seconds: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(20_000) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

/** The test's own account of the market: much simpler, since it only watches. */
class Model {
  nowMs = startMs;
  readonly offered = new Map<string, number>();
  readonly leases = new Map<
    string,
    { consumer: string; producer: string; slabs: number; endMs: number; serial: number; isReleased: boolean }
  >();

  liveSlabs(producerKey: string): number {
    const live = [...this.leases.values()].filter(
      (lease) =>
        lease.producer === producerKey && !lease.isReleased && lease.endMs + clockSkewMs > this.nowMs,
    );
    return live.reduce((sum, { slabs }) => sum + slabs, 0);
  }

  take(grant: Grant): void {
    const ticket = openTicket(grant.ticket, identity.publicKey, this.nowMs);
    const id = ticket.leaseId.toString('hex');
    const isNew = !this.leases.has(id);
    const producerKey = ticket.producerKey.toString('hex');
    this.leases.set(id, {
      consumer: ticket.consumerKey.toString('hex'),
      producer: producerKey,
      slabs: ticket.slabs,
      endMs: ticket.expiresAtMs,
      serial: ticket.serial,
      isReleased: false,
    });
    // The promise itself: when a lease is made, all leases of its producer fit into what it offered last.
    if (isNew) expect(this.liveSlabs(producerKey)).toBeLessThanOrEqual(this.offered.get(producerKey)!);
  }
}

function apply(step: Step, model: Model, path: string): void {
  const { nowMs } = model;
  switch (step.kind) {
    case 'report': {
      const key = producers[step.producer]!;
      model.offered.set(key, step.slabs);
      expect(report(key, step.slabs, nowMs).leasedSlabs).toBe(model.liveSlabs(key));
      return;
    }
    case 'request': {
      const requestId = step.id === 0 ? '' : `r${step.id}`;
      const more = { seconds: step.seconds, requestId };
      request(consumers[step.consumer]!, step.slabs, nowMs, more).forEach((grant) => model.take(grant));
      return;
    }
    case 'wait':
      model.nowMs += step.ms;
      return;
    case 'restart':
      repository.close();
      open(path);
      return;
    default: {
      const [id, lease] = [...model.leases][step.lease] ?? [];
      if (id === undefined || lease === undefined) return;
      if (step.kind === 'release') {
        book.releaseLease(lease.consumer, id, nowMs);
        lease.isReleased = true;
      } else {
        const { seconds } = step;
        model.take(
          book.extendLease(
            lease.consumer,
            { leaseId: id, seconds, maxPrice: 0n, serial: lease.serial },
            nowMs,
          ),
        );
      }
    }
  }
}

describe('LeaseBook, whatever is done with it', () => {
  it('never promises a slab twice, and its ledger balances', () => {
    let run = 0;
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 10, maxLength: 40 }), (steps) => {
        repository.close();
        const path = join(folder, `run-${(run += 1)}.sqlite`);
        open(path);
        for (const key of producers) book.registerProducer(key, '127.0.0.1:1', settings.slabBytes, startMs);
        const model = new Model();
        for (const step of steps) {
          try {
            apply(step, model, path);
          } catch (error) {
            if (!(error instanceof ExopoolError)) throw error;
          }
          const live = repository.live(model.nowMs - clockSkewMs).slabsByProducer;
          for (const key of producers) expect(live.get(key) ?? 0).toBe(model.liveSlabs(key));
          const totals = repository.totals();
          expect(totals.balance).toBe(0n);
          expect(totals.revenue >= totals.commission && totals.commission >= 0n).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });
});
