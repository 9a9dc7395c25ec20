import { describe, expect, it } from 'vitest';
import type { Row } from '../suite.js';
import { checksOf, deviceRowName, ratiosOf } from './ratios.js';
import { coldGet, hotGet, nameOf } from './workloads.js';

const cold = (contender: string, ops_per_s: number, bytes_read_per_op = 4096): Row => ({
  name: nameOf(coldGet),
  contender,
  ops_per_s,
  bytes_read_per_op,
});
const hot = (contender: string, ops_per_s: number): Row => ({ name: nameOf(hotGet), contender, ops_per_s });

describe('ratiosOf', () => {
  it('compares with the best of each kind', () => {
    const rows: Row[] = [
      cold('exopool', 90_000, 2048),
      cold('lmdb default', 10_000),
      cold('classic-level default', 30_000),
      cold('lmdb tuned', 60_000),
      { name: nameOf(coldGet), contender: 'rocksdb tuned', failed: 'killed' },
      hot('exopool', 500_000),
      hot('lmdb default', 400_000),
      hot('lmdb tuned', 1_000_000),
      hot('better-sqlite3 tuned', 250_000),
      { name: deviceRowName, contender: 'fio', ops_per_s: 100_000 },
    ];
    const ratios = ratiosOf(rows);
    expect(ratios).toEqual({
      cold_get_vs_best_peer_default: 3,
      cold_get_vs_best_peer_tuned: 1.5,
      hot_get_vs_lmdb: 0.5,
      hot_get_vs_best_other: 2,
      device_iops_share: 0.45,
    });
    expect(checksOf(ratios)).toEqual({
      cold_get_vs_best_peer_default: true,
      cold_get_vs_best_peer_tuned: true,
      hot_get_vs_lmdb: true,
      hot_get_vs_best_other: true,
      device_iops_share: false,
    });
  });

  it('has no ratio of what did not run, and no check either', () => {
    const ratios = ratiosOf([
      cold('exopool', 1000),
      { name: nameOf(coldGet), contender: 'lmdb tuned', failed: 'killed' },
    ]);
    expect(ratios).toEqual({});
    expect(checksOf(ratios)).toEqual({});
  });
});
