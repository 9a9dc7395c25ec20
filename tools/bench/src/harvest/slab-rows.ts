/** The slab server beside Redis, as rows and ratios. */
import { spreadOf } from '../statistics.js';
import type { Row } from '../suite.js';
import type { ServerLoad, SlabRound } from './slab-against-redis.js';

const shapes = ['pipelined', 'single'] as const;
const shapeNames = {
  pipelined: '1000 bytes, 50 connections, 16 to a batch',
  single: '1000 bytes, 1 connection, one at a time',
} as const;

export function slabRows(rounds: readonly SlabRound[]): Row[] {
  const servers = shapes.flatMap((shape) => [
    serverRow(
      shapeNames[shape],
      'slab server',
      rounds.map(({ slab }) => slab[shape]),
    ),
    serverRow(
      shapeNames[shape],
      'redis',
      rounds.map(({ redis }) => redis[shape]),
    ),
  ]);
  const steady = shapes.map((shape): Row => {
    const cpu_share = spreadOf(rounds.map(({ cpuShare10k }) => cpuShare10k[shape])).median;
    const contender = shape === 'pipelined' ? 'slab server, 16 to a batch' : 'slab server, one at a time';
    return { name: '10,000 reads a second, 4 connections', contender, cpu_share };
  });
  return [...servers, ...steady];
}

function serverRow(name: string, contender: string, loads: readonly ServerLoad[]): Row {
  const rates = spreadOf(loads.map(({ opsPerSecond }) => opsPerSecond));
  const of = (pick: (load: ServerLoad) => number): number => spreadOf(loads.map(pick)).median;
  return {
    name,
    contender,
    ops_per_s: rates.median,
    ops_per_s_min: rates.min,
    ops_per_s_max: rates.max,
    p50_us: of(({ p50Us }) => p50Us),
    p99_us: of(({ p99Us }) => p99Us),
    cpu_us_per_op: of(({ cpuUs }) => cpuUs),
  };
}

export function slabRatios(rounds: readonly SlabRound[]): Record<string, number> {
  if (rounds.length === 0) return {};
  const of = (pick: (round: SlabRound) => number): number => spreadOf(rounds.map(pick)).median;
  return {
    slab_read_vs_redis_pipelined: of(
      ({ slab, redis }) => slab.pipelined.opsPerSecond / redis.pipelined.opsPerSecond,
    ),
    slab_cpu_vs_redis_pipelined: of(({ slab, redis }) => redis.pipelined.cpuUs / slab.pipelined.cpuUs),
    slab_single_p99_vs_redis: of(({ slab, redis }) => redis.single.p99Us / slab.single.p99Us),
    slab_cpu_share_10k: of(({ cpuShare10k }) => cpuShare10k.pipelined),
  };
}
