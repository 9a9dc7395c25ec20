/** Ratios of the harvester and of the slab server, and their targets. */
import { spreadOf } from '../statistics.js';
import { rateOf } from './load/window.js';
import type { HarvestRound } from './rounds.js';

/** The paper's figures: 17.4 % of Redis' memory with a loss of at most 2.1 %. */
const shareLeast = 0.17;
const keptLeast = 0.979;

/** Lower limits of ratios. The other ratios have none. */
export const targets = {
  redis_harvested_share: shareLeast,
  redis_throughput_kept: keptLeast,
  redis_p99_kept: keptLeast,
  slab_read_vs_redis_pipelined: 1,
  slab_cpu_vs_redis_pipelined: 1,
  slab_single_p99_vs_redis: 1,
} as const;

/** Upper limits of ratios. */
export const targetsAtMost = {
  giveback_1gib_ms_p99: 250,
  slab_cpu_share_10k: 0.03,
} as const;

export function harvestRatios(name: string, rounds: readonly HarvestRound[]): Record<string, number> {
  if (rounds.length === 0) return {};
  const of = (pick: (round: HarvestRound) => number): number => spreadOf(rounds.map(pick)).median;
  return {
    [`${name}_harvested_share`]: of((round) => round.harvestedBytes / round.workloadBytes),
    [`${name}_throughput_kept`]: of(
      ({ harvested, undisturbed: [before, after] }) =>
        (2 * rateOf(harvested)) / (rateOf(before) + rateOf(after)),
    ),
    [`${name}_p99_kept`]: of(({ calmP99Us }) => calmP99Us.undisturbed / calmP99Us.harvested),
  };
}

/** One check for each ratio with a target. */
export function checksOf(ratios: Readonly<Record<string, number>>): Record<string, boolean> {
  const least = Object.entries(targets).map(([name, target]) => [name, (ratios[name] ?? NaN) >= target]);
  const most = Object.entries(targetsAtMost).map(([name, target]) => [name, (ratios[name] ?? NaN) <= target]);
  return Object.fromEntries(
    [...least, ...most].filter(([name]) => ratios[name as string] !== undefined),
  ) as Record<string, boolean>;
}
