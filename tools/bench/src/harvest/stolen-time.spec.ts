import { expect, it } from 'vitest';
import { calmP99Us, StolenTime } from './stolen-time.js';

const points = [700, 9000, 720, 8000, 740, 710].map((p99Us, index) => ({
  atMs: 500 * (index + 1),
  opsPerSecond: 1,
  p99Us,
}));
const window = { points, p99Us: 5000 };

it('is of the points that nobody took time from', () => {
  const stolenAt = new Set([1000, 2000]);
  const stolen = { shareBetween: (_: number, toMs: number) => (stolenAt.has(toMs) ? 0.04 : 0.01) };
  expect(calmP99Us(window, stolen)).toBe(715);
});

it('is of the calmest quarter where all were disturbed, and of all where there are no points', () => {
  const stolen = { shareBetween: (_: number, toMs: number) => (toMs === 1500 || toMs === 2500 ? 0.05 : 0.5) };
  expect(calmP99Us(window, stolen)).toBe(730);
  expect(calmP99Us({ points: [], p99Us: 5000 }, stolen)).toBe(5000);
});

it('is a share of the time', () => {
  const stolen = new StolenTime();
  const nowMs = Date.now();
  expect(stolen.shareBetween(nowMs - 1000, nowMs)).toBe(0);
  stolen.close();
});
