import { describe, expect, it } from 'vitest';
import { Latencies } from './latencies.js';
import { median, share, summaryOf, TierLatencies } from './statistics.js';

describe('Latencies', () => {
  it('gives percentiles in microseconds', () => {
    const latencies = new Latencies();
    for (let i = 1; i <= 100; i += 1) latencies.record(i / 1000);
    const { count, p50Us, p99Us } = summaryOf(latencies);
    expect(count).toBe(100);
    expect(p50Us).toBeCloseTo(50, 0);
    expect(p99Us).toBeCloseTo(99, 0);
  });

  it('takes zero, absurd and no latencies', () => {
    const latencies = new Latencies();
    expect(summaryOf(latencies)).toEqual({ count: 0, p50Us: 0, p99Us: 0 });
    latencies.record(0);
    latencies.record(1e9);
    expect(summaryOf(latencies).count).toBe(2);
    latencies.reset();
    expect(summaryOf(latencies).count).toBe(0);
  });
});

describe('TierLatencies', () => {
  it('keeps tiers apart and counts all', () => {
    const latencies = new TierLatencies();
    latencies.record('memory', 0.01);
    latencies.record('remote', 0.05);
    latencies.record('remote', 0.05);
    const summary = latencies.summary();
    expect([summary.memory.count, summary.remote.count, summary.store.count, summary.all.count]).toEqual([
      1, 2, 0, 3,
    ]);
  });
});

describe('median and share', () => {
  it('handle the ends', () => {
    expect(median([])).toBeNaN();
    expect(median([3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(share(1, 4)).toBe(0.25);
    expect(share(1, 0)).toBe(0);
  });
});
