import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postings, priceTerm } from './market/billing.js';
import type { LeaseRecord } from './repository.js';
import { SqliteRepository } from './sqlite-repository.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-repository-'));
  path = join(folder, 'broker.sqlite');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const term = priceTerm({
  serial: 0,
  startMs: 1000,
  endMs: 61_000,
  slabs: 2,
  slabBytes: 64 << 20,
  price: 5_000_000n,
  commissionShare: 0.05,
});
const lease: LeaseRecord = {
  id: 'aa',
  producer: 'p',
  consumer: 'c',
  slabs: 2,
  slabBytes: 64 << 20,
  requestId: 'r',
  terms: [term],
  released: undefined,
};

describe('SqliteRepository', () => {
  it('gives back after a restart what was stored', () => {
    const first = SqliteRepository.open(path);
    first.saveProducer({ key: 'p', endpoint: 'old:1' });
    first.saveProducer({ key: 'p', endpoint: 'new:2' });
    first.insertLease(lease);
    const charge = postings(lease, term.charged, term.commission);
    first.post({ timeMs: 1000, kind: 'charge', leaseId: 'aa', postings: charge });
    first.close();

    const second = SqliteRepository.open(path);
    expect(second.producers()).toEqual([{ key: 'p', endpoint: 'new:2' }]);
    expect(second.lease('aa')).toEqual(lease);
    expect(second.leasesOfRequest('c', 'r')).toEqual([lease]);
    expect(second.live(60_999)).toEqual({ leases: 1, slabsByProducer: new Map([['p', 2]]) });
    expect(second.live(61_000).leases).toBe(0);
    expect(second.totals()).toEqual({ revenue: term.charged, commission: term.commission, balance: 0n });
    second.markReleased('aa', 2000, 5n);
    expect(second.live(0).leases).toBe(0);
    expect(second.releasedLeases('p', { endMs: 60_000, id: '' }, 10)).toMatchObject([{ id: 'aa' }]);
    second.close();
  });

  it('forgets ended leases with all that hangs on them, the oldest first, but no balance', () => {
    const repository = SqliteRepository.open(path);
    for (const [index, id] of ['aa', 'bb', 'cc'].entries()) {
      const terms = [{ ...term, endMs: term.endMs + index }];
      repository.insertLease({ ...lease, id, requestId: id, terms });
      const charge = postings(lease, term.charged, term.commission);
      repository.post({ timeMs: 1000, kind: 'charge', leaseId: id, postings: charge });
    }
    const totals = repository.totals();
    expect(repository.prune(term.endMs + 1, 1)).toBe(1);
    expect(repository.lease('aa')).toBeUndefined();
    expect(repository.prune(term.endMs + 1, 10)).toBe(1);
    expect(repository.prune(term.endMs + 1, 10)).toBe(0);
    expect(repository.leasesOfRequest('c', 'cc')).toHaveLength(1);
    expect(repository.totals()).toEqual(totals);
    repository.close();

    const database = new Database(path);
    const rows = ['leases', 'terms', 'transactions', 'ledger', 'accounts'].map((table) =>
      database.prepare(`SELECT COUNT(*) FROM ${table}`).pluck().get(),
    );
    expect(rows).toEqual([1, 1, 1, 3, 3]);
    database.close();
  });

  it('finds what is to be forgotten without a look at all the rest, in older files too', () => {
    SqliteRepository.open(path).close();
    const database = new Database(path);
    database.exec('DROP INDEX leases_end; DROP INDEX transactions_lease');
    database.close();
    SqliteRepository.open(path).close();
    const again = new Database(path);
    const plan = (sql: string): unknown => again.prepare(`EXPLAIN QUERY PLAN ${sql}`).get();
    expect(plan('SELECT id FROM leases WHERE end_ms <= 1 ORDER BY end_ms')).toMatchObject({
      detail: expect.stringContaining('leases_end') as unknown,
    });
    expect(plan("SELECT id FROM transactions WHERE lease = 'aa'")).toMatchObject({
      detail: expect.stringContaining('transactions_lease') as unknown,
    });
    again.close();
  });

  it('keeps nothing of a transaction that throws', () => {
    const repository = SqliteRepository.open(path);
    expect(() =>
      repository.transaction(() => {
        repository.insertLease(lease);
        throw new Error('half-way');
      }),
    ).toThrow('half-way');
    expect(repository.lease('aa')).toBeUndefined();
    expect(() =>
      repository.post({ timeMs: 0, kind: 'charge', leaseId: 'aa', postings: [{ account: 'x', amount: 1n }] }),
    ).toThrow(/out of balance/);
    repository.close();
  });

  it('lets one broker in', () => {
    const first = SqliteRepository.open(path);
    expect(() => SqliteRepository.open(path)).toThrow(expect.objectContaining({ code: 'EXOPOOL_LOCKED' }));
    first.close();
    SqliteRepository.open(path).close();
  });

  it('refuses files that are newer, damaged or not ours', () => {
    SqliteRepository.open(path).close();
    const database = new Database(path);
    database.pragma('user_version = 99');
    database.close();
    expect(() => SqliteRepository.open(path)).toThrow(expect.objectContaining({ code: 'EXOPOOL_VERSION' }));

    writeFileSync(path, 'no database, but long enough to be looked at '.repeat(100));
    expect(() => SqliteRepository.open(path)).toThrow(expect.objectContaining({ code: 'EXOPOOL_CORRUPT' }));

    const foreign = new Database(join(folder, 'foreign.sqlite'));
    foreign.exec('CREATE TABLE t (x)');
    foreign.close();
    expect(() => SqliteRepository.open(join(folder, 'foreign.sqlite'))).toThrow(/not a broker's database/);
  });
});
