import { describe, expect, it } from 'vitest';
import { checksOf, harvestRatios } from './ratios.js';
import { harvestRows } from './rows.js';
import { harvestRound, loadWindow } from '../testing/harvest-rounds.js';
import type { HarvestRound } from './rounds.js';
import { slabRatios } from './slab-rows.js';
import type { ServerLoad } from './slab-against-redis.js';

const round = (operations: number, p99Us: number, harvestedBytes: number): HarvestRound =>
  harvestRound({
    // Slower before, faster after.
    undisturbed: [loadWindow(900, 100), loadWindow(1100, 100)],
    harvested: loadWindow(operations, p99Us),
    calmP99Us: { undisturbed: 100, harvested: p99Us },
    harvestedBytes,
    swappedBytes: 2 * harvestedBytes,
    pageIns: operations / 4,
  });
const rounds = [round(900, 200, 100), round(1000, 100, 200), round(990, 125, 300)];

describe('harvestRatios', () => {
  it('compares within each round, and takes the median of the rounds', () => {
    expect(harvestRatios('redis', rounds)).toEqual({
      redis_harvested_share: 0.2,
      redis_throughput_kept: 0.99,
      redis_p99_kept: 0.8,
    });
    expect(harvestRatios('redis', [])).toEqual({});
  });

  it('are checked in the direction that each is good in', () => {
    const checks = checksOf({ ...harvestRatios('redis', rounds), giveback_1gib_ms_p99: 251 });
    expect(checks).toEqual({
      redis_harvested_share: true,
      redis_throughput_kept: true,
      redis_p99_kept: false,
      giveback_1gib_ms_p99: false,
    });
  });
});

it('has a row for both, the spread of the rounds in them', () => {
  const [undisturbed, harvested] = harvestRows('redis', 'reads', rounds);
  expect(undisturbed).toMatchObject({ contender: 'undisturbed', engine: 'reads', ops_per_s: 500 });
  expect(harvested).toMatchObject({
    ops_per_s: 495,
    ops_per_s_min: 450,
    ops_per_s_max: 500,
    p99_us: 125,
    harvested_bytes: 200,
    swapped_bytes: 400,
    harvested_share: 0.2,
    page_ins_per_op: 0.25,
  });
});

it('has ours better than theirs above 1 for the slab server, its share of a core as it is', () => {
  const server = (opsPerSecond: number, p99Us: number, cpuUs: number): ServerLoad => ({
    opsPerSecond,
    p50Us: 1,
    p99Us,
    cpuUs,
  });
  const ratios = slabRatios([
    {
      slab: { pipelined: server(300, 1, 1), single: server(1, 10, 1) },
      redis: { pipelined: server(100, 1, 2), single: server(1, 40, 1) },
      cpuShare10k: { pipelined: 0.02, single: 0.1 },
    },
  ]);
  expect(ratios).toEqual({
    slab_read_vs_redis_pipelined: 3,
    slab_cpu_vs_redis_pipelined: 2,
    slab_single_p99_vs_redis: 4,
    slab_cpu_share_10k: 0.02,
  });
});
