/** How large, how long, under which limits: decided before anything is done. */
import { GiB } from '@exopool/shared';
import { recordBytes } from './records.js';
import { fullWorkloads, quickWorkloads, type Workloads } from './workloads.js';

export interface Plan {
  readonly records: number;
  readonly dataBytes: number;
  readonly rounds: number;
  /** Of a window, and of one that writes. */
  readonly readSeconds: number;
  readonly writeSeconds: number;
  readonly workloads: Workloads;
  /** A quarter of the data. */
  readonly tightBytes: number;
  /** Everything fits, however the store keeps it. */
  readonly roomyBytes: number;
}

const fullRecords = 4_000_000;
/** A quarter of it is 92 MiB: less, and Node.js alone would hardly fit. */
const quickRecords = 880_000;
const tightShare = 1 / 4;
/** A cache of rows beside a page cache of files, and the garbage of both. */
const roomyFactor = 4;
/** Times the data that all contenders' files take at most, in sorts and compactions too. */
const diskFactorEach = 2.2;

export function planOf({
  quick,
  records,
}: {
  readonly quick: boolean;
  readonly records: number | undefined;
}): Plan {
  const count = records ?? (quick ? quickRecords : fullRecords);
  const dataBytes = count * recordBytes;
  return {
    records: count,
    dataBytes,
    rounds: quick ? 2 : 3,
    readSeconds: quick ? 0.5 : 2.5,
    writeSeconds: quick ? 0.5 : 10,
    workloads: quick ? quickWorkloads : fullWorkloads,
    tightBytes: Math.round(dataBytes * tightShare),
    roomyBytes: Math.round(dataBytes * roomyFactor + GiB),
  };
}

/** Disk space for the data of so many contenders and the file of the device test. */
export function diskBytesNeeded(plan: Plan, contenders: number): number {
  return Math.round(plan.dataBytes * (1 + contenders * diskFactorEach));
}

/** Everybody goes first once: who does it in each round. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
