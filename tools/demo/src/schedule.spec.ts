import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeSchedule } from './schedule.js';

describe('makeSchedule', () => {
  it('fills the time given, with equal parts for both modes, by turns', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 3600 }), (seconds) => {
        const slices = makeSchedule(seconds);
        expect(slices.reduce((sum, slice) => sum + slice.seconds, 0)).toBeCloseTo(seconds, 6);
        const measured = slices.filter((slice) => slice.kind === 'measure');
        expect(measured.length).toBeGreaterThanOrEqual(2);
        measured.forEach((slice, index) => {
          expect(slice.mode).toBe(index % 2 === 0 ? 'without' : 'with');
          expect(slice.seconds).toBe(measured[0]!.seconds);
        });
        expect(slices[0]!.kind).toBe('warm-up');
        expect(slices.at(-1)!.kind).toBe('warm-file');
      }),
    );
  });
});
