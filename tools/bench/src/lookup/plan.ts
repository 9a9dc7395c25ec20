/** The plan of a run, made before it begins: sizes, times, limits. */
import { GiB, MiB } from '@exopool/shared';
import type { SuiteOptions } from '../suite.js';
import { recordBytes } from './records.js';
import { fullWorkloads, quickWorkloads, type Workloads } from './workloads.js';

type Wishes = Pick<SuiteOptions, 'quick' | 'records' | 'rounds' | 'windowSeconds'>;

/** The least number with a meaningful median. */
const roundsDefault = 3;

export interface Plan {
  readonly records: number;
  readonly dataBytes: number;
  /** Hot workloads read only these, so that the warm-up does not take longer than the measurement. */
  readonly hotRecords: number;
  /** Most rounds. A round that would end after `budgetSeconds` is not started. */
  readonly rounds: number;
  readonly budgetSeconds: number;
  /** Length of a window of reads, and of writes. */
  readonly readSeconds: number;
  readonly writeSeconds: number;
  readonly workloads: Workloads;
  /** A quarter of the data, unless that is too little for Node.js itself. */
  readonly tightBytes: number;
  /** Everything fits, whatever the store's format. */
  readonly roomyBytes: number;
}

const fullRecords = 4_000_000;
/** A quarter of it is {@link tightBytesMin}. */
const quickRecords = 880_000;
const quickHotRecords = 150_000;
/** Four of five minutes: the rest is for the report, and for rounds that take longer than the one before. */
const quickBudgetSeconds = 240;
const tightShare = 1 / 4;
/** Node.js itself uses half of it. With less, contenders are killed before they begin. */
const tightBytesMin = 92 * MiB;
/** For a cache of rows, a page cache of files, and the garbage of both. */
const roomyFactor = 4;
/** Largest size of a contender's files relative to the data, including sorts and compactions. */
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

/** Disk space for the data of the contenders and the file of the device test. */
export function diskBytesNeeded(plan: Plan, contenders: number): number {
  return Math.round(plan.dataBytes * (1 + contenders * diskFactorEach));
}

/** Whether another round may start, if it takes as long as the longest so far. The first may always start. */
export function mayBegin(
  round: number,
  time: { readonly elapsedSeconds: number; readonly longestSeconds: number; readonly untilSeconds: number },
  { rounds }: Pick<Plan, 'rounds'>,
): boolean {
  return round < rounds && (round === 0 || time.elapsedSeconds + time.longestSeconds <= time.untilSeconds);
}

/** Rotates the order, so that each contender goes first once. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
