import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Latencies } from '@exopool/demo/latencies';
import { percentilesOf, spreadOf } from './statistics.js';

describe('spreadOf', () => {
  it('finds the middle whatever the order', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
  });

  it('has its median between least and most', () => {
    const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: 0, max: 1e9 }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(numbers, (list) => {
        const { median, min, max } = spreadOf(list);
        expect(median).toBeGreaterThanOrEqual(min);
        expect(median).toBeLessThanOrEqual(max);
      }),
    );
  });

  it('refuses to make a figure of nothing', () => {
    expect(() => spreadOf([])).toThrow(RangeError);
  });
});

describe('Latencies', () => {
  it('has percentiles in microseconds within a thousandth, and none of nothing', () => {
    const latencies = new Latencies();
    expect(percentilesOf(latencies)).toBeUndefined();
    for (let number = 1; number <= 1000; number += 1) latencies.record(number / 1000);
    const { p50Us, p99Us, p999Us } = percentilesOf(latencies)!;
    expect(p50Us).toBeCloseTo(500, -1);
    expect(p99Us).toBeCloseTo(990, -1);
    expect(p999Us).toBeCloseTo(999, -1);
  });
});
