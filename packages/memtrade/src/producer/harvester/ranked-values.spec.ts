import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RankedValues } from './ranked-values.js';

it('agrees with a sorted array, whatever comes and goes', () => {
  // Few distinct values, so that most are there several times; and the ends of what a number can be.
  const anyValue = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ noNaN: true }));
  const anyWork = fc.record({ value: anyValue, isRemoval: fc.boolean() });
  fc.assert(
    fc.property(fc.array(anyWork, { maxLength: 300 }), (works) => {
      const ranked = new RankedValues();
      const sorted: number[] = [];
      for (const { value, isRemoval } of works) {
        const index = sorted.indexOf(value);
        if (isRemoval) {
          ranked.remove(value);
          if (index !== -1) sorted.splice(index, 1);
        } else {
          ranked.add(value);
          sorted.push(value);
          sorted.sort((a, b) => a - b);
        }
        expect(ranked.size).toBe(sorted.length);
        // + 0: it takes 0 and -0 for the same.
        const all = sorted.map((_, rank) => ranked.at(rank)! + 0);
        expect(all).toEqual(sorted.map((known) => known + 0));
      }
      expect(ranked.at(sorted.length)).toBeUndefined();
      expect(ranked.at(-1)).toBeUndefined();
    }),
  );
});

it('holds days of samples in any order without getting deep', () => {
  const ranked = new RankedValues();
  const count = 200_000;
  for (let value = 0; value < count; value += 1) ranked.add(value);
  for (let value = 0; value < count; value += 2) ranked.remove(value);
  expect(ranked.size).toBe(count / 2);
  expect(ranked.at(0)).toBe(1);
  expect(ranked.at(count / 2 - 1)).toBe(count - 1);
  ranked.clear();
  expect(ranked.size).toBe(0);
  ranked.add(7);
  expect(ranked.at(0)).toBe(7);
});
