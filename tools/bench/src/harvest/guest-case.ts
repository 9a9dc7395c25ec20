/**
 * What is harvested in guests, which have what this kernel may not: cgroup v2, and zram that moves idle pages to a disk.
 * Names, sizes, and what becomes of the figures; pure.
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
  /** As a producer's status calls it. */
  readonly silo: 'zram' | 'zram with writeback';
  /** Of its ratios; a burst has none. */
  readonly prefix: string;
}

const written = { experiment: 'rounds', silo: 'zram with writeback' } as const;
export const guestCases: readonly GuestCase[] = [
  { ...written, application: 'redis', prefix: 'guest_redis' },
  { ...written, application: 'redis', prefix: 'guest_redis_zram', silo: 'zram' },
  { ...written, application: 'redis', prefix: 'guest_burst', experiment: 'burst' },
  { ...written, application: 'memcached', prefix: 'guest_memcached' },
];

/** What a guest is asked for, and prints as a line of JSON. */
export interface GuestArgument extends GuestCase {
  readonly plan: HarvestPlan;
  readonly requestsPerSecond: number;
}

export interface GuestFigures {
  readonly workload: string;
  /** Without what the harvester reported all the time. */
  readonly rounds?: readonly HarvestRound[];
  readonly burst?: BurstResult;
}

/** An eighth of what Redis does on a processor of one instruction a nanosecond, which it shares with the load. */
const requestsPerSecond = 2000;
/** A second of the guest takes some ten: hence a small application. */
const applicationBytes = 192 * MiB;
/** The silo moves idle pages every 10 s: twice before the window that is measured, once before a burst. */
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

/** Also the name of the part, for `--only`. */
export function guestName({ application, silo, experiment }: Omit<GuestCase, 'prefix'>): string {
  const what = experiment === 'burst' ? `${application} in a burst` : application;
  return `${what}, ${guestKernel} guest, ${silo}`;
}

/** @throws ExopoolError `EXOPOOL_GUEST` when there is no line of figures among what the guest printed. */
export function parseGuestFigures(printed: string): GuestFigures {
  const figures = parsed(printed.split('\n').findLast(isFigures));
  const { rounds = [], burst } = figures ?? {};
  if (figures?.workload === undefined || (rounds.length === 0 && burst === undefined))
    throw new ExopoolError('EXOPOOL_GUEST', 'the guest ended without figures');
  return figures as GuestFigures;
}

/** Whether a line is of figures and not of progress. */
export function isFigures(line: string): boolean {
  return line.startsWith('{');
}

/** `undefined` for what is no JSON: a guest that was cut short. */
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

/** Those of any application, and how much of what swap holds had gone to the disk. */
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
