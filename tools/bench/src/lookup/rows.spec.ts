import { describe, expect, it } from 'vitest';
import { rowOf, type Measured } from './rows.js';
import { coldGet } from './workloads.js';

const round = (calls: number, api = 'get'): Measured => ({
  calls,
  seconds: 2,
  percentiles: { p50Us: calls, p99Us: 2 * calls, p999Us: 3 * calls },
  api,
  cpuSeconds: 1,
  readBytes: calls * 4096,
  peakRssBytes: calls,
  peakMemoryBytes: 2 * calls,
});

describe('rowOf', () => {
  it('is the median of the rounds with their spread', () => {
    expect(rowOf('lmdb tuned', coldGet, [round(300), round(100), round(200, 'prefetch')])).toMatchObject({
      name: 'get uniform ×128 cold',
      ops_per_s: 100,
      ops_per_s_min: 50,
      ops_per_s_max: 150,
      p50_us: 200,
      bytes_read_per_op: 4096,
      peak_rss_bytes: 300,
      peak_memory_bytes: 600,
      engine: 'get or prefetch',
    });
  });

  it('keeps what was measured before a failure, and the reason', () => {
    const failed = { failed: 'killed' };
    expect(rowOf('x', coldGet, [round(100), failed])).toMatchObject({ ops_per_s: 50, failed: 'killed' });
    expect(rowOf('x', coldGet, [failed])).toEqual({
      name: 'get uniform ×128 cold',
      contender: 'x',
      failed: 'killed',
    });
  });
});
