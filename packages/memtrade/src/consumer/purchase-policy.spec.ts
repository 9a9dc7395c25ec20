import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MissRatioCurve } from './mrc/miss-ratio-curve.js';
import { affordableSlabs, decidePurchase, valueOf, type PurchaseSituation } from './purchase-policy.js';

/** Halves of what is missed with each slab. */
const halving = new MissRatioCurve(Float64Array.of(1, 0.5, 0.25, 0.125, 0.0625), 1000);

const situation = (change: Partial<PurchaseSituation> = {}): PurchaseSituation => ({
  curve: halving,
  requestsPerSecond: 1000,
  missPenaltySeconds: 0.001,
  waitingPricePerHour: 1,
  slabPricePerHour: 0.1,
  slabBytes: 1000,
  slabsMax: 100,
  heldSlabs: 0,
  margin: 0,
  ...change,
});

describe('what to buy', () => {
  it.each<[string, Partial<PurchaseSituation>, { slabs: number; reason: string }]>([
    ['until one more costs more than it is worth', {}, { slabs: 3, reason: 'worth' }],
    ['less at a higher price', { slabPricePerHour: 0.2 }, { slabs: 2, reason: 'worth' }],
    ['nothing that costs more than the best of it', { slabPricePerHour: 1 }, { slabs: 0, reason: 'worth' }],
    ['nothing when a miss costs nothing', { missPenaltySeconds: -1 }, { slabs: 0, reason: 'worth' }],
    ['no more than the budget pays', { budgetPerHour: 0.25 }, { slabs: 2, reason: 'budget' }],
    ['no more than is allowed', { slabsMax: 1 }, { slabs: 1, reason: 'limit' }],
    ['everything useful when it is free', { slabPricePerHour: 0 }, { slabs: 4, reason: 'worth' }],
    ['nothing new for a small gain', { heldSlabs: 2, margin: 0.3 }, { slabs: 2, reason: 'margin' }],
    [
      'less than is held, over the budget',
      { heldSlabs: 4, budgetPerHour: 0.1 },
      { slabs: 1, reason: 'budget' },
    ],
  ])('%s', (_, change, expected) => {
    expect(decidePurchase(situation(change))).toMatchObject(expected);
  });

  it('looks over a step: a loop that fits only with three slabs', () => {
    const curve = new MissRatioCurve(Float64Array.of(1, 1, 1, 0, 0), 1000);
    expect(decidePurchase(situation({ curve, slabPricePerHour: 0.3 })).slabs).toBe(3);
    expect(decidePurchase(situation({ curve, slabPricePerHour: 0.4 })).slabs).toBe(0);
  });
});

/** Any curve that does not rise. */
const curves = fc
  .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 30 })
  .map((ratios) => new MissRatioCurve(Float64Array.from(ratios).sort().reverse(), 500));
const situations = fc.record({
  curve: curves,
  requestsPerSecond: fc.double({ min: 0, max: 1e5, noNaN: true }),
  missPenaltySeconds: fc.double({ min: 0, max: 0.1, noNaN: true }),
  waitingPricePerHour: fc.double({ min: 0, max: 10, noNaN: true }),
  slabPricePerHour: fc.double({ min: 0, max: 10, noNaN: true }),
  slabBytes: fc.constantFrom(100, 1000, 3000),
  slabsMax: fc.nat({ max: 50 }),
  heldSlabs: fc.nat({ max: 60 }),
  budgetPerHour: fc.option(fc.double({ min: 0, max: 50, noNaN: true }), { nil: undefined }),
  margin: fc.constantFrom(0, 0.1, 0.25, 0.5),
});

const tiny = 1e-9;

describe('whatever the curve and the prices', () => {
  it('the budget and the limit hold', () => {
    fc.assert(
      fc.property(situations, (given) => {
        const { slabs, cost } = decidePurchase(given);
        expect(slabs).toBeLessThanOrEqual(given.slabsMax);
        expect(cost).toBeLessThanOrEqual(given.budgetPerHour ?? Number.POSITIVE_INFINITY);
        expect(slabs).toBeLessThanOrEqual(affordableSlabs(given));
      }),
    );
  });

  it('no other number within them gains more, but for the margin', () => {
    fc.assert(
      fc.property(situations, fc.nat({ max: 60 }), (given, other) => {
        const { slabs } = decidePurchase(given);
        if (other > Math.min(given.slabsMax, affordableSlabs(given))) return;
        const net = (count: number): number => valueOf(given, count) - count * given.slabPricePerHour;
        const margin = given.margin * given.slabPricePerHour * Math.abs(slabs - other);
        expect(net(other)).toBeLessThanOrEqual(net(slabs) + margin + tiny * (1 + Math.abs(net(slabs))));
      }),
    );
  });

  it('deciding again changes nothing', () => {
    fc.assert(
      fc.property(situations, (given) => {
        const { slabs } = decidePurchase(given);
        const again = decidePurchase({ ...given, heldSlabs: slabs }).slabs;
        const net = (count: number): number => valueOf(given, count) - count * given.slabPricePerHour;
        // The same number, or one that is as good to the last digits.
        expect(again === slabs || Math.abs(net(again) - net(slabs)) < tiny * (1 + net(slabs))).toBe(true);
      }),
    );
  });

  it('a higher price buys no more', () => {
    fc.assert(
      fc.property(situations, fc.double({ min: 0, max: 10, noNaN: true }), (given, more) => {
        const fresh = { ...given, heldSlabs: 0, margin: 0 };
        const dearer = { ...fresh, slabPricePerHour: fresh.slabPricePerHour + more };
        expect(decidePurchase(dearer).slabs).toBeLessThanOrEqual(decidePurchase(fresh).slabs);
      }),
    );
  });
});
