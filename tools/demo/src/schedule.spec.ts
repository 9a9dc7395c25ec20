import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeSchedule } from './schedule.js';

describe('makeSchedule', () => {
  it('fills the time given, with equal parts for all, by turns', () => {
    const someDisks = fc.constantFrom(['own'] as const, ['own', 'limited'] as const);
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 3600 }), someDisks, (seconds, disks) => {
        const slices = makeSchedule(seconds, disks);
        expect(slices.reduce((sum, slice) => sum + slice.seconds, 0)).toBeCloseTo(seconds, 6);
        const measured = slices.filter((slice) => slice.kind === 'measure');
        const turns = disks.flatMap((disk) => [`${disk} without`, `${disk} with`]);
        expect(measured.length % turns.length).toBe(0);
        measured.forEach((slice, index) => {
          expect(`${slice.disk} ${slice.mode}`).toBe(turns[index % turns.length]);
          expect(slice.seconds).toBe(measured[0]!.seconds);
        });
        expect(slices[0]!.kind).toBe('warm-up');
        expect(slices.at(-1)!.kind).toBe('warm-file');
      }),
    );
  });
});
