import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GiB } from '@exopool/shared';
import { fromDollars, postings, priceTerm, refundTerms, toDollars } from './billing.js';
import { priceNow } from './pricing.js';

const hourMs = 3_600_000;
const hour = { serial: 0, startMs: 0, endMs: hourMs, slabs: 4, slabBytes: GiB, commissionShare: 0.05 };

it('charges slabs × GiB × hours × price, and takes its commission', () => {
  const term = priceTerm({ ...hour, price: fromDollars(0.005) });
  expect(toDollars(term.charged)).toBe(0.02);
  expect(toDollars(term.commission)).toBe(0.001);
});

it('asks a share of the spot price', () => {
  expect(priceNow({ spotPrice: fromDollars(0.02), priceShare: 0.25 })).toBe(fromDollars(0.005));
});

it('refunds the time that is left of each term', () => {
  const first = priceTerm({ ...hour, price: 1000n });
  const second = priceTerm({ ...hour, serial: 1, startMs: hourMs, endMs: 3 * hourMs, price: 500n });
  expect(refundTerms([first, second], hourMs / 2).amount).toBe(2000n + 4000n);
  expect(refundTerms([first, second], 2 * hourMs).amount).toBe(2000n);
  expect(refundTerms([first, second], 3 * hourMs).amount).toBe(0n);
});

it('keeps every transaction balanced and no refund above its charge', () => {
  const anyTerm = fc.record({
    slabs: fc.integer({ min: 1, max: 16_384 }),
    slabBytes: fc.constantFrom(1 << 20, 64 << 20, GiB),
    endMs: fc.integer({ min: 1, max: 30 * 24 * hourMs }),
    price: fc.bigInt({ min: 0n, max: fromDollars(1000) }),
    commissionShare: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(anyTerm, fc.nat(31 * 24 * hourMs), (some, nowMs) => {
      const term = priceTerm({ serial: 0, startMs: 0, ...some });
      const refund = refundTerms([term], nowMs);
      expect(term.commission <= term.charged).toBe(true);
      expect(refund.amount <= term.charged && refund.commission <= term.commission).toBe(true);
      expect(refund.amount >= refund.commission).toBe(true);
      const lines = postings({ consumer: 'c', producer: 'p' }, term.charged, term.commission);
      expect(lines.reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n);
    }),
  );
});
