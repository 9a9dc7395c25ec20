/** How large, how long, how often: decided before anything is done. */
import { GiB, MiB } from '@exopool/shared';
import type { SuiteOptions } from '../suite.js';
import type { Application } from './applications/application.js';

/** The harvester's constants, shortened so that seconds show what it does in hours. */
export interface HarvestTimes {
  readonly epochSeconds: number;
  /** The paper's is 300. */
  readonly coolingSeconds: number;
  readonly recoverySeconds: number;
  readonly recentSeconds: number;
  readonly baselinePoints: number;
  readonly tailPercent: number;
}

export type BurstMedium = 'zram' | 'zram with writeback' | 'disk';

export interface HarvestPlan {
  readonly rounds: number;
  /** No further round is begun after this part of a run. */
  readonly roundsUntilSeconds: number;
  readonly applicationBytes: Readonly<Record<Application['name'], number>>;
  readonly times: HarvestTimes;
  /** Steps from all of an application's memory to nothing: the chunk is that part of it. */
  readonly chunksPerApplication: number;
  /** An application keeps this share of its memory whatever the harvester finds. */
  readonly floorShare: number;
  /** Windows that are compared; of as much as it can do; and the time that the harvester has before the second. */
  readonly windowSeconds: number;
  readonly flatOutSeconds: number;
  readonly harvestSeconds: number;
  readonly burst: {
    readonly rounds: number;
    readonly seconds: number;
    /** What is swapped to. */
    readonly media: readonly BurstMedium[];
  };
  /** On a Redis of its own; `undefined`: not in this form. */
  readonly ablation:
    { readonly bytes: number; readonly harvestSeconds: number; readonly windowSeconds: number } | undefined;
  readonly giveBack: { readonly rounds: number; readonly graceRounds: number; readonly bytes: number };
  /** At 10,000 requests a second what it takes to connect would show in a short window. */
  readonly slab: { readonly rounds: number; readonly seconds: number; readonly pacedSeconds: number };
  /** Of the simulated harvester. */
  readonly simulatedHours: number;
}

const quick: HarvestPlan = {
  rounds: 2,
  roundsUntilSeconds: 255,
  applicationBytes: { redis: 300 * MiB, memcached: 300 * MiB, postgresql: 300 * MiB, batch: 300 * MiB },
  times: {
    epochSeconds: 0.25,
    coolingSeconds: 0.5,
    recoverySeconds: 2,
    recentSeconds: 5,
    baselinePoints: 12,
    tailPercent: 90,
  },
  chunksPerApplication: 24,
  floorShare: 0.55,
  windowSeconds: 4,
  flatOutSeconds: 1,
  harvestSeconds: 12,
  burst: { rounds: 1, seconds: 8, media: ['zram'] },
  ablation: undefined,
  giveBack: { rounds: 10, graceRounds: 3, bytes: GiB / 4 },
  slab: { rounds: 3, seconds: 1, pacedSeconds: 3 },
  simulatedHours: 6,
};

const full: HarvestPlan = {
  ...quick,
  rounds: 3,
  roundsUntilSeconds: 2100,
  applicationBytes: { redis: 3 * GiB, memcached: 3 * GiB, postgresql: 2 * GiB, batch: GiB },
  chunksPerApplication: 48,
  times: { ...quick.times, coolingSeconds: 1, recoverySeconds: 5, recentSeconds: 10, baselinePoints: 20 },
  windowSeconds: 12,
  flatOutSeconds: 3,
  harvestSeconds: 75,
  burst: { rounds: 1, seconds: 20, media: ['zram', 'disk'] },
  ablation: { bytes: 300 * MiB, harvestSeconds: 10, windowSeconds: 5 },
  giveBack: { rounds: 50, graceRounds: 10, bytes: GiB },
  slab: { rounds: 5, seconds: 2, pacedSeconds: 5 },
  simulatedHours: 12,
};

export function planOf({
  quick: isQuick,
  rounds,
  windowSeconds,
}: Pick<SuiteOptions, 'quick' | 'rounds' | 'windowSeconds'>): HarvestPlan {
  const plan = isQuick ? quick : full;
  return { ...plan, rounds: rounds ?? plan.rounds, windowSeconds: windowSeconds ?? plan.windowSeconds };
}
