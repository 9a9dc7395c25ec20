import { expect, it, vi } from 'vitest';
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
  vi.useFakeTimers({ now: 0 });
  try {
    // 20 ticks in each look; 5 of them are stolen from the third look on, which is at 200 ms.
    let looks = -1;
    const stolen = new StolenTime(() => {
      looks += 1;
      const taken = 5 * Math.max(0, looks - 1);
      return `cpu  0 0 0 ${20 * looks - taken} 0 0 0 ${taken} 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n`;
    });
    vi.advanceTimersByTime(500);
    expect(stolen.shareBetween(0, 100)).toBe(0);
    expect(stolen.shareBetween(200, 400)).toBe(0.25);
    expect(stolen.shareBetween(0, 200)).toBe(0.125);
    stolen.close();
    vi.advanceTimersByTime(500);
    expect(looks).toBe(5);
  } finally {
    vi.useRealTimers();
  }
});
