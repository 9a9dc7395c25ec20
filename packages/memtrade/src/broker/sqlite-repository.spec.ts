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
