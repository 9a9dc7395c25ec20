import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseRun, tablesGood } from './compaction-policy.js';

/** Merges until all is well. @returns the sizes then, and the bytes that were written. */
function settle(sizes: readonly number[]): { sizes: number[]; written: number } {
  let [left, written] = [[...sizes], 0];
  for (let run = chooseRun(left); run !== undefined; run = chooseRun(left)) {
    expect(run.end - run.first).toBeGreaterThan(1);
    const merged = left.slice(run.first, run.end).reduce((sum, bytes) => sum + bytes, 0);
    left = left.toSpliced(run.first, run.end - run.first, merged);
    written += merged;
  }
  return { sizes: left, written };
}

describe('chooseRun', () => {
  it.each([
    ['nothing', [], undefined],
    ['one table', [9], undefined],
    ['a small table before a large one', [1, 9], undefined],
    ['two of like size, the oldest among them', [9, 9], [0, 2]],
    ['three of like size before a large one', [1, 1, 1, 9], undefined],
    ['four of like size before a large one', [1, 1, 1, 1, 99], [0, 4]],
    ['a run behind a small table', [1, 9, 9, 9, 9, 99], [1, 5]],
    ['a run that grows as it goes', [1, 1, 2, 4, 99], [0, 4]],
    ['what was overwritten once', [9, 10, 20], [0, 3]],
    ['empty tables', [0, 0], [0, 2]],
  ] as const)('of %s', (_, sizes, expected) => {
    const run = expected === undefined ? undefined : { first: expected[0], end: expected[1] };
    expect(chooseRun(sizes)).toEqual(run);
  });

  it('leaves few tables, and never one that outweighs all newer ones by too little', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 1e12 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(sizes, (tables) => {
        const { sizes: left } = settle(tables);
        expect(left.length).toBeLessThanOrEqual(tablesGood);
        const newer = left.slice(0, -1).reduce((sum, bytes) => sum + bytes, 0);
        if (left.length === 2) expect(left[1]!).toBeGreaterThan(newer);
        expect(left.reduce((sum, bytes) => sum + bytes, 0)).toBe(
          tables.reduce((sum, bytes) => sum + bytes, 0),
        );
      }),
    );
  });

  it('rewrites each byte a few times, as flush follows flush', () => {
    let tables: number[] = [];
    let written = 0;
    let most = 0;
    const flushes = 4096;
    for (let flush = 0; flush < flushes; flush += 1) {
      const settled = settle([1, ...tables]);
      tables = settled.sizes;
      written += settled.written;
      most = Math.max(most, tables.length);
    }
    expect(most).toBeLessThanOrEqual(tablesGood);
    expect(written / flushes).toBeLessThan(10);
  });
});
