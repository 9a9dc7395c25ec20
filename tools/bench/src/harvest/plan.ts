/** The plan of a run, made before it begins: sizes, times, repetitions. */
import { GiB, MiB } from '@exopool/shared';
import type { SuiteOptions } from '../suite.js';
import type { Application } from './applications/application.js';

/** The harvester's constants, shortened so that seconds show its behaviour of hours. */
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
  /** No further round starts after this time of a run. */
  readonly roundsUntilSeconds: number;
  readonly applicationBytes: Readonly<Record<Application['name'], number>>;
  readonly times: HarvestTimes;
  /** The chunk is the application's memory divided by this. */
  readonly chunksPerApplication: number;
  /** The application always keeps this share of its memory. */
  readonly floorShare: number;
  /** Compared windows; windows of maximum load; and the time to harvest before the second window. */
  readonly windowSeconds: number;
  readonly flatOutSeconds: number;
  readonly harvestSeconds: number;
  readonly burst: {
    readonly rounds: number;
    readonly seconds: number;
    /** Swap devices. */
    readonly media: readonly BurstMedium[];
  };
  /** The ablation on a separate Redis; `undefined` if this form has none. */
  readonly ablation:
    { readonly bytes: number; readonly harvestSeconds: number; readonly windowSeconds: number } | undefined;
  readonly giveBack: { readonly rounds: number; readonly graceRounds: number; readonly bytes: number };
  /** In a short window at 10,000 requests a second, the time to connect would show. */
  readonly slab: { readonly rounds: number; readonly seconds: number; readonly pacedSeconds: number };
  /** Hours of the simulation. */
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
