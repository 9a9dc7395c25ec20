/**
 * What a lease costs the broker: placement among 1,000 producers, the ticket's signature, and the ledger on disk.
 *
 * Each round requests one slab and gives it back, so that the market stays the same size throughout. The file is on
 * the temporary folder's file system, with a real fsync a transaction, as in production.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, bench, describe } from 'vitest';
import { Identity } from '@exopool/shared';
import { LeaseBook } from './lease-book.js';
import { fromDollars } from './market/billing.js';
import { place, type ProducerOffer } from './market/placement.js';
import { SqliteRepository } from './sqlite-repository.js';

const slabBytes = 64 << 20;
const producers = 1000;
const folder = mkdtempSync(join(tmpdir(), 'exopool-bench-'));
const repository = SqliteRepository.open(join(folder, 'broker.sqlite'));
const settings = {
  slabBytes,
  spotPrice: fromDollars(0.02),
  priceShare: 0.25,
  commissionShare: 0.05,
  leaseSecondsMax: 3600,
};
const book = new LeaseBook(repository, new Identity(), settings, randomBytes);
const consumer = randomBytes(32).toString('hex');
repository.transaction(() => {
  for (let index = 0; index < producers; index += 1) {
    const key = randomBytes(32).toString('hex');
    book.registerProducer(key, '127.0.0.1:1', slabBytes, 0);
    book.reportUsage(key, { offeredSlabs: 1 + (index % 50), harvestedBytes: 0, cpuLoad: 0 }, 0);
  }
});
afterAll(() => {
  repository.close();
  rmSync(folder, { recursive: true, force: true });
});

const offers: ProducerOffer[] = Array.from({ length: producers }, (_, index) => ({
  producer: `p${index}`,
  freeSlabs: index % 50,
}));

describe('broker', () => {
  bench('place 16 slabs among 1,000 producers', () => {
    place(offers, { slabs: 16, minimumSlabs: 1, producersMax: 32 });
  });

  bench('request and release a lease', () => {
    const wish = { slabs: 1, minimumSlabs: 1, seconds: 60, maxPrice: 0n, requestId: '' };
    const [grant] = book.requestLease(consumer, wish, 0);
    book.releaseLease(consumer, grant!.lease.id, 1);
  });
});
