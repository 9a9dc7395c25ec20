import { describe, expect, it, vi } from 'vitest';
import { calmest, calmP99Us, StolenTime } from './stolen-time.js';

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
    // 20 ticks in each sample. From the third sample on, at 200 ms, 5 of them are stolen.
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

describe('the calmest of some measurements', () => {
  /** The n-th measurement returns n. The list has the stolen ticks of 100 in each. */
  const withStolen = async (...stolen: number[]): Promise<number> => {
    let [idle, taken, measured] = [0, 0, 0];
    return await calmest(
      () => {
        const ticks = stolen[measured]!;
        measured += 1;
        taken += ticks;
        idle += 100 - ticks;
        return Promise.resolve(measured);
      },
      () => `cpu  0 0 0 ${idle} 0 0 0 ${taken} 0 0\n`,
    );
  };

  it('is the first in which nothing was taken', async () => {
    expect(await withStolen(1)).toBe(1);
    expect(await withStolen(5, 4, 0)).toBe(3);
  });

  it('is the least bad of four where each was disturbed', async () => {
    expect(await withStolen(5, 3, 9, 4)).toBe(2);
  });
});
