import fc from 'fast-check';
import { expect, it } from 'vitest';
import { place } from './placement.js';

const offers = [
  { producer: 'a', freeSlabs: 3 },
  { producer: 'b', freeSlabs: 10 },
  { producer: 'c', freeSlabs: 0 },
];

it('fills from whoever has most free', () => {
  expect(place(offers, { slabs: 4, minimumSlabs: 4, producersMax: 8 })).toEqual([
    { producer: 'b', slabs: 4 },
  ]);
  expect(place(offers, { slabs: 12, minimumSlabs: 12, producersMax: 8 })).toEqual([
    { producer: 'b', slabs: 10 },
    { producer: 'a', slabs: 2 },
  ]);
});

it('fills last from whoever several complain of', () => {
  const doubted = offers.map((offer) => ({ ...offer, isDoubtful: offer.producer === 'b' }));
  expect(place(doubted, { slabs: 4, minimumSlabs: 4, producersMax: 8 })).toEqual([
    { producer: 'a', slabs: 3 },
    { producer: 'b', slabs: 1 },
  ]);
});

it('gives part of what was asked for, down to the minimum', () => {
  expect(place(offers, { slabs: 20, minimumSlabs: 13, producersMax: 8 })).toHaveLength(2);
  expect(place(offers, { slabs: 20, minimumSlabs: 14, producersMax: 8 })).toEqual([]);
  expect(place(offers, { slabs: 20, minimumSlabs: 1, producersMax: 1 })).toEqual([
    { producer: 'b', slabs: 10 },
  ]);
  expect(place([], { slabs: 1, minimumSlabs: 0, producersMax: 8 })).toEqual([]);
});

it('never gives more than is free or wanted, and never less than the minimum', () => {
  const anyOffers = fc
    .array(fc.nat(50), { maxLength: 12 })
    .map((free) => free.map((freeSlabs, index) => ({ producer: `p${index}`, freeSlabs })));
  const anyRequest = fc.record({
    slabs: fc.integer({ min: 1, max: 300 }),
    producersMax: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(anyOffers, anyRequest, fc.nat(300), (some, request, minimum) => {
      const minimumSlabs = Math.min(minimum, request.slabs);
      const placements = place(some, { ...request, minimumSlabs });
      const given = placements.reduce((sum, { slabs }) => sum + slabs, 0);
      expect(given).toBeLessThanOrEqual(request.slabs);
      if (placements.length > 0) expect(given).toBeGreaterThanOrEqual(minimumSlabs);
      for (const { producer, slabs } of placements) {
        expect(slabs).toBeGreaterThan(0);
        expect(slabs).toBeLessThanOrEqual(some.find((offer) => offer.producer === producer)!.freeSlabs);
      }
      expect(new Set(placements.map(({ producer }) => producer)).size).toBe(placements.length);
    }),
  );
});
