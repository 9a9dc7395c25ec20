import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@exopool/house';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postings, priceTerm } from './market/billing.js';
import type { LeaseRecord } from './repository.js';
import { sqliteDriver, sqliteDrivers, type SqliteDatabase, type SqliteDriver } from './sqlite-driver.js';
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

const rowsOf = (database: SqliteDatabase, sql: string): unknown[] => database.prepare(sql).all();

const here: readonly string[] = sqliteDrivers().map(({ name }) => name);
for (const name of ['node:sqlite', 'libsql']) {
  const reason = here.includes(name) ? undefined : `Node.js ${process.version} has no ${name}`;
  // So that a run says which driver it did not see.
  it(`${name} is one of the drivers`, needs('sqlite-drivers', reason), () => expect(here).toContain(name));
}

describe.each(sqliteDrivers())('SqliteRepository with $name', (driver: SqliteDriver) => {
  it('gives back after a restart what was stored', () => {
    const first = SqliteRepository.open(path, driver);
    first.saveProducer({ key: 'p', endpoint: 'old:1' });
    first.saveProducer({ key: 'p', endpoint: 'new:2' });
    first.insertLease(lease);
    const charge = postings(lease, term.charged, term.commission);
    first.post({ timeMs: 1000, kind: 'charge', leaseId: 'aa', postings: charge });
    first.close();

    const second = SqliteRepository.open(path, driver);
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
    const repository = SqliteRepository.open(path, driver);
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

    const database = driver.open(path);
    const rows = ['leases', 'terms', 'transactions', 'ledger', 'accounts'].map(
      (table) => rowsOf(database, `SELECT COUNT(*) AS rows FROM ${table}`)[0],
    );
    expect(rows).toEqual([1n, 1n, 1n, 3n, 3n].map((count) => ({ rows: count })));
    database.close();
  });

  it('finds what is to be forgotten without a look at all the rest, in older files too', () => {
    SqliteRepository.open(path, driver).close();
    const database = driver.open(path);
    database.exec('DROP INDEX leases_end; DROP INDEX transactions_lease');
    database.close();
    SqliteRepository.open(path, driver).close();
    const again = driver.open(path);
    const plan = (sql: string): unknown => rowsOf(again, `EXPLAIN QUERY PLAN ${sql}`)[0];
    expect(plan('SELECT id FROM leases WHERE end_ms <= 1 ORDER BY end_ms')).toMatchObject({
      detail: expect.stringContaining('leases_end') as unknown,
    });
    expect(plan("SELECT id FROM transactions WHERE lease = 'aa'")).toMatchObject({
      detail: expect.stringContaining('transactions_lease') as unknown,
    });
    again.close();
  });

  it('keeps amounts that no number of JavaScript holds', () => {
    const repository = SqliteRepository.open(path, driver);
    const price = 2n ** 53n + 1n;
    repository.insertLease({ ...lease, terms: [{ ...term, price }] });
    expect(repository.lease('aa')?.terms[0]?.price).toBe(price);
    repository.close();
  });

  it('keeps nothing of a transaction that throws', () => {
    const repository = SqliteRepository.open(path, driver);
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
    const first = SqliteRepository.open(path, driver);
    expect(() => SqliteRepository.open(path, driver)).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_LOCKED' }),
    );
    first.close();
    SqliteRepository.open(path, driver).close();
  });

  it('refuses files that are newer, damaged or not ours', () => {
    SqliteRepository.open(path, driver).close();
    const database = driver.open(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(() => SqliteRepository.open(path, driver)).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_VERSION' }),
    );

    writeFileSync(path, 'no database, but long enough to be looked at '.repeat(100));
    expect(() => SqliteRepository.open(path, driver)).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_CORRUPT' }),
    );

    const foreign = driver.open(join(folder, 'foreign.sqlite'));
    foreign.exec('CREATE TABLE t (x)');
    foreign.close();
    expect(() => SqliteRepository.open(join(folder, 'foreign.sqlite'), driver)).toThrow(
      /not a broker's database/,
    );
  });
});

describe('sqliteDriver', () => {
  it('is the SQLite inside Node where there is one, without a word about it', () => {
    const warned: string[] = [];
    const listener = (warning: Error): void => void warned.push(warning.message);
    process.on('warning', listener);
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    const isInside = major > 22 || (major === 22 && minor >= 13);
    expect(sqliteDriver().name).toBe(isInside ? 'node:sqlite' : 'libsql');
    process.off('warning', listener);
    expect(warned).toEqual([]);
  });

  it('leaves files that every other driver reads', () => {
    for (const writer of sqliteDrivers()) {
      const file = join(folder, `${writer.name.replace(':', '-')}.sqlite`);
      const first = SqliteRepository.open(file, writer);
      first.insertLease(lease);
      first.close();
      for (const reader of sqliteDrivers()) {
        const second = SqliteRepository.open(file, reader);
        expect(second.lease('aa')).toEqual(lease);
        second.close();
      }
    }
  });
});
