/**
 * One sample a second into a full window: add, expire, and the two percentiles that the harvester looks at.
 *
 * Six hours of seconds (21,600 points) as in the paper, and a day of ten samples a second (864,000): forty times the
 * points should cost little more than the deeper tree, not forty times.
 */
import { bench, describe } from 'vitest';
import { SortedWindow } from './sorted-window.js';

function filled(points: number): { step: () => void } {
  const window = new SortedWindow(points);
  let nowMs = 0;
  let state = 1;
  const step = (): void => {
    state = (state * 48_271) % 2_147_483_647;
    nowMs += 1;
    window.add(nowMs, state);
    window.expire(nowMs);
    window.percentile(0.99);
    window.percentile(1);
  };
  for (let count = 0; count < points; count += 1) step();
  return { step };
}

describe('one sample', () => {
  for (const points of [21_600, 864_000]) {
    const { step } = filled(points);
    bench(`of ${points}`, step);
  }
});
