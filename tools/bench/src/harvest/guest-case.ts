/**
 * What is harvested in guests, which have what this kernel may not: cgroup v2, and zram that moves idle pages to a disk.
 * Names, sizes, and what becomes of the figures; pure.
 */
import { ExopoolError, MiB } from '@exopool/shared';
import type { Row } from '../suite.js';
import type { HarvestPlan } from './plan.js';
import { harvestRatios } from './ratios.js';
import type { HarvestRound } from './rounds.js';
import { harvestRows } from './rows.js';

export const guestKernel = '6.12';

export interface GuestCase {
  readonly application: 'redis' | 'memcached';
  /** As a producer's status calls it. */
  readonly silo: 'zram' | 'zram with writeback';
  /** Of its ratios. */
  readonly prefix: string;
}

export const guestCases: readonly GuestCase[] = [
  { application: 'redis', silo: 'zram with writeback', prefix: 'guest_redis' },
  { application: 'redis', silo: 'zram', prefix: 'guest_redis_zram' },
  { application: 'memcached', silo: 'zram with writeback', prefix: 'guest_memcached' },
];

/** What a guest is asked for, and prints as a line of JSON. */
export interface GuestArgument extends GuestCase {
  readonly plan: HarvestPlan;
}

export interface GuestFigures {
  readonly workload: string;
  /** Without what the harvester reported all the time. */
  readonly rounds: readonly HarvestRound[];
}

/** The guest's one CPU does some hundred million instructions a second of the host's time: hence a small application. */
const applicationBytes = 256 * MiB;
/** The silo moves idle pages every 10 s: twice before the window that is measured. */
const harvestSeconds = 22;
const flatOutSeconds = 0.5;

export function guestPlan(plan: HarvestPlan, { quick }: { readonly quick: boolean }): HarvestPlan {
  return {
    ...plan,
    rounds: quick ? 1 : 2,
    applicationBytes: { ...plan.applicationBytes, redis: applicationBytes, memcached: applicationBytes },
    windowSeconds: quick ? 3 : 6,
    flatOutSeconds,
    harvestSeconds,
  };
}

/** Also the name of the part, for `--only`. */
export function guestName({ application, silo }: Omit<GuestCase, 'prefix'>): string {
  return `${application}, ${guestKernel} guest, ${silo}`;
}

/** @throws ExopoolError `EXOPOOL_GUEST` when there is no line of figures among what the guest printed. */
export function parseGuestFigures(printed: string): GuestFigures {
  const figures = parsed(printed.split('\n').findLast(isFigures));
  if (figures?.workload === undefined || figures.rounds === undefined || figures.rounds.length === 0)
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

export function guestRows(one: GuestCase, { workload, rounds }: GuestFigures): Row[] {
  return harvestRows(guestName(one), `${workload}; one CPU for it, the load and the producer`, rounds);
}

/** Those of any application, and how much of what was swapped out had gone to the disk. */
export function guestRatios({ prefix, silo }: GuestCase, { rounds }: GuestFigures): Record<string, number> {
  const ratios = harvestRatios(prefix, rounds);
  if (silo === 'zram') return ratios;
  const sum = (pick: (round: HarvestRound) => number): number =>
    rounds.reduce((total, round) => total + pick(round), 0);
  const swappedBytes = sum((round) => round.swappedBytes);
  const share = swappedBytes === 0 ? 0 : sum((round) => round.diskBytes) / swappedBytes;
  return { ...ratios, [`${prefix}_disk_share`]: share };
}
