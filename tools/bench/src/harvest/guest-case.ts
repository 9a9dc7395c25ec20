/**
 * The cases of harvesting in guests, whose kernel has cgroup v2, and zram that moves idle pages to a disk. Names,
 * sizes, and rows from the figures; pure functions.
 */
import { ExopoolError, MiB } from '@exopool/shared';
import type { Row } from '../suite.js';
import { burstRows, type BurstResult } from './burst.js';
import type { HarvestPlan } from './plan.js';
import { harvestRatios } from './ratios.js';
import type { HarvestRound } from './rounds.js';
import { harvestRows } from './rows.js';

export const guestKernel = '6.12';

export interface GuestCase {
  readonly experiment: 'rounds' | 'burst';
  readonly application: 'redis' | 'memcached';
  /** Name in a producer's status. */
  readonly silo: 'zram' | 'zram with writeback';
  /** Prefix of its ratios. A burst has no ratios. */
  readonly prefix: string;
}

const written = { experiment: 'rounds', silo: 'zram with writeback' } as const;
export const guestCases: readonly GuestCase[] = [
  { ...written, application: 'redis', prefix: 'guest_redis' },
  { ...written, application: 'redis', prefix: 'guest_redis_zram', silo: 'zram' },
  { ...written, application: 'redis', prefix: 'guest_burst', experiment: 'burst' },
  { ...written, application: 'memcached', prefix: 'guest_memcached' },
];

/** The argument of a guest's program. It prints {@link GuestFigures} as a line of JSON. */
export interface GuestArgument extends GuestCase {
  readonly plan: HarvestPlan;
  readonly requestsPerSecond: number;
}

export interface GuestFigures {
  readonly workload: string;
  /** Rounds without the harvester's reports over time. */
  readonly rounds?: readonly HarvestRound[];
  readonly burst?: BurstResult;
}

/** 1/8 of the capacity of Redis on a processor of one instruction per nanosecond that it shares with the load. */
const requestsPerSecond = 2000;
/** A second of the guest takes about 10 s, so the application is small. */
const applicationBytes = 192 * MiB;
/** The silo moves idle pages every 10 s: twice before the measured window, once before a burst. */
const harvestSeconds = { rounds: 22, burst: 13 } as const;
const flatOutSeconds = 0.5;
const burstSeconds = 5;

export function guestArgument(
  one: GuestCase,
  plan: HarvestPlan,
  { quick }: { readonly quick: boolean },
): GuestArgument {
  const sizes = { redis: applicationBytes, memcached: applicationBytes };
  return {
    ...one,
    requestsPerSecond,
    plan: {
      ...plan,
      rounds: quick ? 1 : 2,
      applicationBytes: { ...plan.applicationBytes, ...sizes },
      windowSeconds: quick ? 3 : 6,
      flatOutSeconds,
      harvestSeconds: harvestSeconds[one.experiment],
      burst: { rounds: 1, seconds: burstSeconds, media: quick ? [one.silo] : [one.silo, 'disk'] },
    },
  };
}

/** The name of the part, also for `--only`. */
export function guestName({ application, silo, experiment }: Omit<GuestCase, 'prefix'>): string {
  const what = experiment === 'burst' ? `${application} in a burst` : application;
  return `${what}, ${guestKernel} guest, ${silo}`;
}

/** @throws ExopoolError `EXOPOOL_GUEST` if the guest's output has no line of figures. */
export function parseGuestFigures(printed: string): GuestFigures {
  const figures = parsed(printed.split('\n').findLast(isFigures));
  const { rounds = [], burst } = figures ?? {};
  if (figures?.workload === undefined || (rounds.length === 0 && burst === undefined))
    throw new ExopoolError('EXOPOOL_GUEST', 'the guest ended without figures');
  return figures as GuestFigures;
}

/** Whether a line has figures, and not progress. */
export function isFigures(line: string): boolean {
  return line.startsWith('{');
}

/** `undefined` if the text is not JSON, as from a guest that ended early. */
function parsed(line = ''): Partial<GuestFigures> | undefined {
  try {
    return JSON.parse(line) as Partial<GuestFigures>;
  } catch {
    return undefined;
  }
}

export function guestRows(one: GuestCase, { workload, rounds = [], burst }: GuestFigures): Row[] {
  const how = `${workload}; one CPU for it, the load and the producer`;
  return [
    ...(rounds.length === 0 ? [] : harvestRows(guestName(one), how, rounds)),
    ...(burst === undefined ? [] : burstRows(burst, `, ${guestKernel} guest`)),
  ];
}

/** The ratios of any application, and the share of swapped pages that are on the disk. */
export function guestRatios(
  { prefix, silo }: GuestCase,
  { rounds = [] }: GuestFigures,
): Record<string, number> {
  const ratios = harvestRatios(prefix, rounds);
  if (silo === 'zram' || rounds.length === 0) return ratios;
  const sum = (pick: (round: HarvestRound) => number): number =>
    rounds.reduce((total, round) => total + pick(round), 0);
  const storedBytes = sum((round) => round.storedBytes);
  const share = storedBytes === 0 ? 0 : sum((round) => round.diskBytes) / storedBytes;
  return { ...ratios, [`${prefix}_disk_share`]: share };
}
