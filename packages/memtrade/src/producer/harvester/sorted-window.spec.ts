import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SortedWindow } from './sorted-window.js';

it('gives percentiles of what is in the window', () => {
  const window = new SortedWindow(100);
  expect(window.percentile(0.5)).toBeUndefined();
  for (let value = 1; value <= 100; value += 1) window.add(value, 101 - value);
  expect(window.percentile(0.99)).toBe(99);
  expect(window.percentile(0)).toBe(1);
  expect(window.percentile(1)).toBe(100);
  window.expire(150);
  expect(window.size).toBe(50);
  expect(window.percentile(1)).toBe(50);
  window.clear();
  expect(window.size).toBe(0);
});

it('agrees with sorting what is young enough', () => {
  const anyPoint = fc.record({ waitMs: fc.nat(30), value: fc.double({ noNaN: true }) });
  fc.assert(
    fc.property(fc.array(anyPoint), fc.double({ min: 0, max: 1, noNaN: true }), (points, share) => {
      const window = new SortedWindow(100);
      const all: { atMs: number; value: number }[] = [];
      let nowMs = 0;
      for (const { waitMs, value } of points) {
        nowMs += waitMs;
        window.expire(nowMs);
        window.add(nowMs, value);
        all.push({ atMs: nowMs, value });
        const young = all.filter(({ atMs }) => atMs > nowMs - 100).map((point) => point.value);
        young.sort((a, b) => a - b);
        expect(window.size).toBe(young.length);
        // == takes 0 and -0 for the same, as the window does.
        expect(window.percentile(share) === young[Math.max(0, Math.ceil(share * young.length) - 1)]).toBe(
          true,
        );
      }
    }),
  );
});

it('drops the oldest when it is full', () => {
  const window = new SortedWindow(Infinity, 3);
  for (const value of [9, 1, 2, 3]) window.add(0, value);
  expect(window.size).toBe(3);
  expect(window.percentile(1)).toBe(3);
});
