/** The figures that are asked of the harvester and of the slab server. */
import { spreadOf } from '../statistics.js';
import { rateOf } from './load/window.js';
import type { HarvestRound } from './rounds.js';

/** The paper's 17.4 % of Redis' memory with at most 2.1 % lost. */
const shareLeast = 0.17;
const keptLeast = 0.979;

/** What each ratio must reach at least; the others come as they may. */
export const targets = {
  redis_harvested_share: shareLeast,
  redis_throughput_kept: keptLeast,
  redis_p99_kept: keptLeast,
  slab_read_vs_redis_pipelined: 1,
  slab_cpu_vs_redis_pipelined: 1,
  slab_single_p99_vs_redis: 1,
} as const;

/** These are no more than … */
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

/** One for each ratio with a target. */
export function checksOf(ratios: Readonly<Record<string, number>>): Record<string, boolean> {
  const least = Object.entries(targets).map(([name, target]) => [name, (ratios[name] ?? NaN) >= target]);
  const most = Object.entries(targetsAtMost).map(([name, target]) => [name, (ratios[name] ?? NaN) <= target]);
  return Object.fromEntries(
    [...least, ...most].filter(([name]) => ratios[name as string] !== undefined),
  ) as Record<string, boolean>;
}
