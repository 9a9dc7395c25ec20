import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areasToWatch, pickIdle, processToWatch, watchIntervals } from './aim-policy.js';

const page = 4096;

/** Ranges of up to 64 pages, some of each in memory. */
const ranges = fc
  .array(
    fc.record({
      gap: fc.nat(8),
      pages: fc.integer({ min: 1, max: 64 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      ageMs: fc.nat(1000),
    }),
  )
  .map((parts) => {
    let at = 0;
    return parts.map(({ gap, pages, share, ageMs }) => {
      const start = at + gap * page;
      at = start + pages * page;
      return { start, end: at, bytes: Math.floor(pages * share) * page, ageMs };
    });
  });
const sum = (sizes: readonly { readonly bytes: number }[]): number =>
  sizes.reduce((total, { bytes }) => total + bytes, 0);

describe('pickIdle', () => {
  it('takes the oldest, whole pages, no more than is wanted, and nothing young', () => {
    fc.assert(
      fc.property(ranges, fc.nat(5_000_000), fc.nat(1000), (all, wanted, idleMs) => {
        const picks = pickIdle(all, wanted, idleMs);
        const rangeOf = new Map(all.map((range) => [range.start, range]));
        const picked = picks.map(({ start }) => rangeOf.get(start)!);
        const idle = all.filter(({ ageMs }) => ageMs >= idleMs);
        // As much as there is, up to what is wanted.
        expect(sum(picks)).toBe(Math.min(wanted - (wanted % page), sum(idle)));
        for (const [index, { start, end, bytes }] of picks.entries()) {
          expect(picked[index]).toMatchObject({ start, end });
          expect(bytes % page).toBe(0);
          expect(bytes).toBeGreaterThan(0);
          expect(bytes).toBeLessThanOrEqual(picked[index]!.bytes);
          expect(picked[index]!.ageMs).toBeGreaterThanOrEqual(idleMs);
        }
        // Only the last may be in part, and none that was left is older than it.
        for (const [index, { bytes }] of picks.slice(0, -1).entries())
          expect(bytes).toBe(picked[index]!.bytes);
        const youngest = Math.min(...picked.map(({ ageMs }) => ageMs));
        const left = idle.filter(
          ({ start, bytes }) => bytes > 0 && !picks.some((pick) => pick.start === start),
        );
        for (const { ageMs } of left) expect(ageMs).toBeLessThanOrEqual(youngest);
      }),
    );
  });

  it('takes nothing when nothing is wanted', () => {
    const range = { start: 0, end: page, bytes: page, ageMs: 5 };
    expect(pickIdle([range], -page, 0)).toEqual([]);
    expect(pickIdle([range], page - 1, 0)).toEqual([]);
    expect(pickIdle([range], page, 5)).toEqual([{ start: 0, end: page, bytes: page }]);
  });
});

it('looks ten times in a cooling period, neither too often nor too rarely', () => {
  expect(watchIntervals(5000)).toEqual({ sampleUs: 62_500, aggregationUs: 500_000, updateMs: 5000 });
  expect(watchIntervals(10).aggregationUs).toBe(100_000);
  expect(watchIntervals(300_000)).toEqual({
    sampleUs: 250_000,
    aggregationUs: 2_000_000,
    updateMs: 20_000,
  });
});

it('watches the largest process, and stays with it until another is twice as large', () => {
  const of = (...sizes: number[]): Map<number, number> =>
    new Map(sizes.map((size, index) => [index + 1, size]));
  expect(processToWatch(undefined, of())).toBeUndefined();
  expect(processToWatch(undefined, of(10, 30, 20))).toBe(2);
  expect(processToWatch(1, of(10, 19))).toBe(1);
  expect(processToWatch(1, of(10, 20))).toBe(2);
  expect(processToWatch(9, of(10, 5))).toBe(1);
  expect(processToWatch(1, of())).toBeUndefined();
});

it('watches large areas, in order of address', () => {
  const area = (start: number, mib: number): { start: number; end: number } => ({
    start,
    end: start + mib * 1024 * 1024,
  });
  expect(areasToWatch([area(2 ** 40, 1), area(0, 64), area(2 ** 30, 0.5)])).toEqual([
    area(0, 64),
    area(2 ** 40, 1),
  ]);
  const many = Array.from({ length: 300 }, (_, index) => area(index * 2 ** 30, 1 + index));
  expect(areasToWatch(many)).toEqual(many.slice(100));
});
