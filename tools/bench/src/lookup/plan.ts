/** How large, how long, under which limits: decided before anything is done. */
import { GiB, MiB } from '@exopool/shared';
import type { SuiteOptions } from '../suite.js';
import { recordBytes } from './records.js';
import { fullWorkloads, quickWorkloads, type Workloads } from './workloads.js';

type Wishes = Pick<SuiteOptions, 'quick' | 'records' | 'rounds' | 'windowSeconds'>;

/** The least of which a median says something. */
const roundsDefault = 3;

export interface Plan {
  readonly records: number;
  readonly dataBytes: number;
  /** Hot workloads read these, so that heating them does not take longer than measuring. */
  readonly hotRecords: number;
  /** At most; a round that would end after `budgetSeconds` is not begun. */
  readonly rounds: number;
  readonly budgetSeconds: number;
  /** Of a window, and of one that writes. */
  readonly readSeconds: number;
  readonly writeSeconds: number;
  readonly workloads: Workloads;
  /** A quarter of the data, unless that is too little for Node.js itself. */
  readonly tightBytes: number;
  /** Everything fits, however the store keeps it. */
  readonly roomyBytes: number;
}

const fullRecords = 4_000_000;
/** A quarter of it is {@link tightBytesMin}. */
const quickRecords = 880_000;
const quickHotRecords = 150_000;
/** Of five minutes: the rest is for the report, and for what a slower machine takes longer than it did before. */
const quickBudgetSeconds = 240;
const tightShare = 1 / 4;
/** Node.js takes half of it for itself; with less, contenders are killed before they begin. */
const tightBytesMin = 92 * MiB;
/** A cache of rows beside a page cache of files, and the garbage of both. */
const roomyFactor = 4;
/** Times the data that all contenders' files take at most, in sorts and compactions too. */
const diskFactorEach = 2.2;

export function planOf({ quick, records, rounds, windowSeconds }: Wishes): Plan {
  const count = records ?? (quick ? quickRecords : fullRecords);
  const dataBytes = count * recordBytes;
  return {
    records: count,
    dataBytes,
    hotRecords: quick ? Math.min(count, quickHotRecords) : count,
    rounds: rounds ?? roundsDefault,
    budgetSeconds: quick ? quickBudgetSeconds : Infinity,
    readSeconds: windowSeconds ?? (quick ? 0.4 : 2.5),
    writeSeconds: windowSeconds ?? (quick ? 0.5 : 10),
    workloads: quick ? quickWorkloads : fullWorkloads,
    tightBytes: Math.max(tightBytesMin, Math.round(dataBytes * tightShare)),
    roomyBytes: Math.round(dataBytes * roomyFactor + GiB),
  };
}

/** Disk space for the data of so many contenders and the file of the device test. */
export function diskBytesNeeded(plan: Plan, contenders: number): number {
  return Math.round(plan.dataBytes * (1 + contenders * diskFactorEach));
}

/** Whether another round may begin: it will take as long as the longest before. The first always may. */
export function mayBegin(
  round: number,
  time: { readonly elapsedSeconds: number; readonly longestSeconds: number; readonly untilSeconds: number },
  { rounds }: Pick<Plan, 'rounds'>,
): boolean {
  return round < rounds && (round === 0 || time.elapsedSeconds + time.longestSeconds <= time.untilSeconds);
}

/** Everybody goes first once: who does it in each round. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
