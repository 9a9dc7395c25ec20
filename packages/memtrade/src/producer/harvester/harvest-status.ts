/** The status of a harvester, updated once an epoch. */
import type { CgroupSample } from '@exopool/native';
import type { SiloStatus } from '../silo/silo.js';
import type { AimStatus } from './aim.js';
import type { HarvestDecision, HarvestPhase } from './harvest-policy.js';

/** What a harvester does now, and what it has taken. */
export interface HarvestStatus {
  readonly state: 'off' | 'ended' | HarvestPhase;
  /** Why it is off, and what would enable it. */
  readonly reason?: string;
  /** The name of the metric, with its unit. */
  readonly metric?: string;
  readonly performance?: number;
  readonly baselineP99?: number;
  readonly recentP99?: number;
  /** The application's memory. */
  readonly usageBytes: number;
  /** Its limit; absent without one. */
  readonly limitBytes?: number;
  readonly swappedBytes: number;
  /** Memory gained: the size of the swapped pages, less the memory that they take in compressed form. */
  readonly harvestedBytes: number;
  readonly steps: number;
  readonly drops: number;
  /** Memory brought back before the application needed it, since the start. */
  readonly prefetchedBytes: number;
  /** Present with `victims: 'idle'`. */
  readonly aim?: AimStatus;
  /** Where the swapped pages are. */
  readonly silo?: SiloStatus;
}

/** The figures of a harvester that has taken nothing. */
export const nothingHarvested = {
  usageBytes: 0,
  swappedBytes: 0,
  harvestedBytes: 0,
  steps: 0,
  drops: 0,
  prefetchedBytes: 0,
} as const;

/** What one epoch adds to the status before it. */
export interface EpochReport {
  readonly metric: string;
  readonly value: number | undefined;
  readonly tails: { readonly baseline: number | undefined; readonly recent: number | undefined };
  readonly decision: HarvestDecision;
  /** Taken after the decision was carried out. */
  readonly sample: CgroupSample;
  readonly silo: SiloStatus;
  readonly aim: AimStatus | undefined;
  readonly prefetchedBytes: number;
  /** True when the command has ended. */
  readonly hasEnded: boolean;
}

export function nextStatus(before: HarvestStatus, epoch: EpochReport): HarvestStatus {
  const { metric, value, tails, decision, sample, silo, aim, prefetchedBytes, hasEnded } = epoch;
  const { phase, isDrop, limitBytes } = decision;
  return {
    state: hasEnded ? 'ended' : phase,
    metric,
    ...(value === undefined ? {} : { performance: value }),
    ...(tails.baseline === undefined ? {} : { baselineP99: tails.baseline }),
    ...(tails.recent === undefined ? {} : { recentP99: tails.recent }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    usageBytes: sample.usageBytes,
    swappedBytes: sample.swappedBytes,
    harvestedBytes: harvestedBytes(sample, silo),
    steps: before.steps + (phase === 'harvesting' ? 1 : 0),
    drops: before.drops + (isDrop ? 1 : 0),
    prefetchedBytes: before.prefetchedBytes + prefetchedBytes,
    ...(aim === undefined ? {} : { aim }),
    silo,
  };
}

/** The size of the swapped pages, less the memory that they take in compressed form. */
function harvestedBytes({ swappedBytes }: CgroupSample, { storedBytes, memoryBytes }: SiloStatus): number {
  return storedBytes === 0 ? 0 : Math.round(swappedBytes * Math.max(0, 1 - memoryBytes / storedBytes));
}
