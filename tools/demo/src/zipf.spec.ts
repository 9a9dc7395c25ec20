import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom, shuffled } from './random.js';
import { zipf, zipfRank } from './zipf.js';

describe('zipf', () => {
  it('draws ranks about as often as 1 / rank^theta says', () => {
    const count = 1000;
    const draws = 200_000;
    const rank = zipfRank(count, seededRandom(1), 0.99);
    const seen = new Array<number>(count).fill(0);
    for (let i = 0; i < draws; i += 1) seen[rank()]! += 1;
    let zeta = 0;
    for (let r = 1; r <= count; r += 1) zeta += r ** -0.99;
    for (const r of [1, 2, 10]) {
      const expected = (draws * r ** -0.99) / zeta;
      // The method is exact for the first two items, and within a quarter for the others.
      expect(seen[r - 1]! / expected).toBeGreaterThan(0.75);
      expect(seen[r - 1]! / expected).toBeLessThan(1.3);
    }
  });

  it('stays within its items, for any count', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer(), (count, seed) => {
        const draw = zipf(count, seededRandom(seed));
        for (let i = 0; i < 50; i += 1) {
          const item = draw();
          expect(Number.isInteger(item) && item >= 0 && item < count).toBe(true);
        }
      }),
    );
  });

  it('repeats with its seed', () => {
    const draw = (seed: number): number[] => {
      const next = zipf(100, seededRandom(seed));
      return Array.from({ length: 20 }, () => next());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });
});

describe('shuffled', () => {
  it('is a permutation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer(), (count, seed) => {
        const sorted = [...shuffled(count, seededRandom(seed))].sort((a, b) => a - b);
        expect(sorted).toEqual(Array.from({ length: count }, (_, index) => index));
      }),
    );
  });
});
