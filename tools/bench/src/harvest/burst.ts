/**
 * A burst on a harvested Redis: suddenly three times the requests, uniformly over all data. Measures the time until its
 * p99 is the same as in a burst without harvesting, with prefetch and without.
 */
import { join } from 'node:path';
import { MachineJournal } from '@exopool/native';
import { addSwapFile } from '@exopool/native/internal';
import { redis } from './applications/key-value.js';
import type { RunningApplication } from './applications/application.js';
import { Harvesting } from './harvesting.js';
import type { LoadWindow } from './load/window.js';
import type { BurstMedium } from './plan.js';
import type { RoundOptions } from './rounds.js';
import { spreadOf } from '../statistics.js';
import type { Row } from '../suite.js';

export interface BurstRound {
  readonly medium: BurstMedium;
  readonly isPrefetching: boolean;
  readonly burst: LoadWindow;
  /** Milliseconds until the p99 without harvesting is reached; `undefined` if the burst ends before. */
  readonly backMs: number | undefined;
  readonly prefetchedBytes: number;
  /** Bytes swapped out before the burst, and those of them on a disk. */
  readonly swappedBytes: number;
  readonly diskBytes: number;
}

export interface BurstResult {
  readonly undisturbed: LoadWindow;
  readonly rounds: readonly BurstRound[];
}

/** Points vary by this factor on a quiet machine. */
const tolerance = 1.25;
/** Points in a row that must reach the p99. */
const calmPoints = 2;

/** @param application must have bursts. Default: Redis. */
export async function burstRounds(options: RoundOptions, application = redis): Promise<BurstResult> {
  const { plan, folder, signal, say } = options;
  say('burst: starting and filling Redis');
  const running = await application.start({ bytes: plan.applicationBytes.redis, folder, signal });
  try {
    const burst = (seconds: number): Promise<LoadWindow> => running.runBurst!(seconds);
    await running.run(plan.windowSeconds / 2);
    const undisturbed = await burst(plan.burst.seconds);
    const rounds: BurstRound[] = [];
    for (const medium of plan.burst.media)
      await swappingTo(medium, options, async () => {
        for (let round = 0; round < plan.burst.rounds; round += 1)
          for (const isPrefetching of round % 2 === 0 ? [true, false] : [false, true]) {
            say(`burst: ${medium}, ${isPrefetching ? 'with' : 'without'} prefetch`);
            const one = await oneBurst(running, burst, isPrefetching, undisturbed, options);
            rounds.push({ ...one, medium });
          }
      });
    return { undisturbed, rounds };
  } finally {
    await running.close();
  }
}

/** A producer makes zram if it finds no swap. If swap is on a disk, it puts zswap before it if the kernel has zswap. */
async function swappingTo(
  medium: BurstMedium,
  { plan, folder }: RoundOptions,
  work: () => Promise<void>,
): Promise<void> {
  if (medium !== 'disk') return work();
  const journal = MachineJournal.open(join(folder, 'swap-journal'));
  try {
    await addSwapFile(journal, folder, plan.applicationBytes.redis);
    await work();
  } finally {
    await journal.undoAll();
  }
}

async function oneBurst(
  application: RunningApplication,
  burst: (seconds: number) => Promise<LoadWindow>,
  isPrefetching: boolean,
  undisturbed: LoadWindow,
  { plan, folder, settings = {}, signal }: RoundOptions,
): Promise<Omit<BurstRound, 'medium'>> {
  const harvesting = await Harvesting.start({ application, plan, settings, folder, signal, isPrefetching });
  try {
    await application.run(plan.harvestSeconds);
    const swappedBytes = harvesting.status?.swappedBytes ?? 0;
    const diskBytes = harvesting.status?.silo?.diskBytes ?? 0;
    const before = harvesting.status?.prefetchedBytes ?? 0;
    const startMs = Date.now();
    const window = await burst(plan.burst.seconds);
    return {
      isPrefetching,
      burst: window,
      backMs: timeBack(window, startMs, pointP99(undisturbed) * tolerance),
      prefetchedBytes: (harvesting.status?.prefetchedBytes ?? 0) - before,
      swappedBytes,
      diskBytes,
    };
  } finally {
    await harvesting.close();
  }
}

function pointP99({ points, p99Us }: LoadWindow): number {
  return points.length === 0 ? p99Us : spreadOf(points.map((point) => point.p99Us)).median;
}

/** Milliseconds from `startMs` to the end of the first of several points that do not exceed `p99Us`. */
export function timeBack(
  { points }: Pick<LoadWindow, 'points'>,
  startMs: number,
  p99Us: number,
): number | undefined {
  for (let at = 0; at + calmPoints <= points.length; at += 1) {
    const calm = points.slice(at, at + calmPoints).every((point) => point.p99Us <= p99Us);
    if (calm) return points[at]!.atMs - startMs;
  }
  return undefined;
}

export function burstRows({ undisturbed, rounds }: BurstResult, where = ''): Row[] {
  const name = `Redis in a burst${where}: p50 of the ms until its p99 is back`;
  const reference: Row = { name, contender: 'nothing taken', p99_us: pointP99(undisturbed) };
  const cases = [...new Set(rounds.map(({ medium }) => medium))].flatMap((medium) =>
    [true, false].map((isPrefetching) => ({ medium, isPrefetching })),
  );
  const rows = cases.map(({ medium, isPrefetching }): Row => {
    const of = rounds.filter((round) => round.medium === medium && round.isPrefetching === isPrefetching);
    const contender = `${medium}, ${isPrefetching ? 'with' : 'without'} prefetch`;
    const back = of.flatMap(({ backMs }) => backMs ?? []);
    const swapped_bytes = spreadOf(of.map(({ swappedBytes }) => swappedBytes)).median;
    const diskBytes = spreadOf(of.map((round) => round.diskBytes)).median;
    const silo_disk_bytes = diskBytes === 0 ? undefined : diskBytes;
    const p99_us = spreadOf(of.map(({ burst }) => burst.p99Us)).median;
    if (back.length < of.length)
      return { name, contender, failed: 'not back within the burst', swapped_bytes, silo_disk_bytes, p99_us };
    return { name, contender, p50_ms: spreadOf(back).median, swapped_bytes, silo_disk_bytes, p99_us };
  });
  return [reference, ...rows];
}
