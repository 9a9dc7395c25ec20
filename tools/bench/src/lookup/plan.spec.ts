import { MiB } from '@exopool/shared';
import { describe, expect, it } from 'vitest';
import { memorySettings } from './contenders/exopool.js';
import { mayBegin, planOf, rotated } from './plan.js';

const wishes = { quick: true, records: undefined, rounds: undefined, windowSeconds: undefined };

describe('planOf', () => {
  it('limits memory to a quarter of the data, in both forms', () => {
    for (const quick of [true, false]) {
      const { dataBytes, tightBytes, roomyBytes } = planOf({ ...wishes, quick });
      expect(tightBytes / dataBytes).toBeCloseTo(0.25, 2);
      expect(roomyBytes).toBeGreaterThan(2 * dataBytes);
    }
  });

  it('leaves Node.js room to run when there is little data', () => {
    expect(planOf({ ...wishes, records: 1000 }).tightBytes).toBeGreaterThan(64 * MiB);
  });
});

describe('mayBegin', () => {
  it('begins the first round always, others while there is time and they are wanted', () => {
    const time = { elapsedSeconds: 100, longestSeconds: 60, untilSeconds: 150 };
    expect(mayBegin(0, time, { rounds: 3 })).toBe(true);
    expect(mayBegin(1, time, { rounds: 3 })).toBe(false);
    expect(mayBegin(1, { ...time, untilSeconds: 160 }, { rounds: 3 })).toBe(true);
    expect(mayBegin(3, { ...time, untilSeconds: Infinity }, { rounds: 3 })).toBe(false);
  });
});

describe('rotated', () => {
  it('lets everybody be first', () => {
    expect([0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''))).toEqual([
      'abc',
      'bca',
      'cab',
      'abc',
    ]);
  });
});

describe('memorySettings', () => {
  it('stays below the limit, and asks for no cache where there is no room', () => {
    for (const memoryBytes of [92 * MiB, 440 * MiB, 8192 * MiB]) {
      const { cacheBytes, memtableBytes } = memorySettings({ memoryBytes, dataBytes: 4 * memoryBytes });
      expect(cacheBytes + 2 * memtableBytes).toBeLessThan(memoryBytes - 32 * MiB);
    }
    expect(memorySettings({ memoryBytes: 32 * MiB, dataBytes: 128 * MiB }).cacheBytes).toBe(0);
  });
});
