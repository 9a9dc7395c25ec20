import { describe, expect, it } from 'vitest';
import type { Row } from '../suite.js';
import { batches, cachePlan, inFlight, ratioBytes, recordsOf, rowName, sequential } from './plan.js';
import { cacheRatios, checksOf, ours } from './ratios.js';

const row = (contender: string, shape: typeof inFlight, ops_per_s: number, p50_us: number): Row => ({
  name: rowName(ratioBytes, shape),
  contender,
  ops_per_s,
  p50_us,
});

describe('ratios of suite cache', () => {
  const rows = [
    row(ours, inFlight, 300, 1),
    row(ours, sequential, 1, 20),
    row(ours, batches, 9, 9),
    row('exopool off', sequential, 1, 19),
    row('ioredis', inFlight, 100, 1),
    row('ioredis', sequential, 1, 100),
    row('ioredis, TLS, encrypting', inFlight, 100, 1),
  ];

  it('are ours to theirs: rates at 64 in flight, times one after the other', () => {
    const local: Row = { name: 'local memory', contender: 'exopool', metadata_bytes_per_pair: 22.5 };
    const ratios = cacheRatios([...rows, local]);
    expect(ratios).toEqual({
      get_1k_gcm_vs_ioredis_throughput: 3,
      get_1k_gcm_vs_ioredis_sequential_p50: 5,
      get_1k_gcm_vs_secured_redis: 3,
      gcm_cost_p50: 20 / 19,
      metadata_bytes_per_pair: 22.5,
    });
    expect(checksOf(ratios)).toEqual({
      get_1k_gcm_vs_ioredis_throughput: true,
      get_1k_gcm_vs_ioredis_sequential_p50: true,
      get_1k_gcm_vs_secured_redis: false,
      gcm_cost_p50: true,
      metadata_bytes_per_pair: true,
    });
  });

  it('leave out what was not measured', () => {
    expect(cacheRatios(rows.slice(0, 2))).toEqual({});
    expect(checksOf({ metadata_bytes_per_pair: 30 })).toEqual({ metadata_bytes_per_pair: false });
  });
});

describe('the plan of suite cache', () => {
  it('holds less of large values', () => {
    const plan = cachePlan({ quick: true, records: undefined, rounds: undefined, windowSeconds: undefined });
    expect(recordsOf(plan, 64)).toBe(plan.recordsMax);
    expect(recordsOf(plan, 16_384) * 16_384).toBeLessThanOrEqual(plan.dataBytes);
  });
});
