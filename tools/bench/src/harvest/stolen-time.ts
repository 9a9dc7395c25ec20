/**
 * Time that the hypervisor stole from this machine's CPUs (/proc/stat), and a p99 without its influence. A guest that
 * is off its CPU for 10 ms has a p99 of 10 ms for half a second, whatever the application does.
 */
import { readFileSync } from 'node:fs';
import { spreadOf } from '../statistics.js';
import type { LoadPoint, LoadWindow } from './load/window.js';

/** Share of the CPUs' time: one tick of one of two CPUs in half a second. */
const calmShareMax = 0.011;
/** Least share of a window's points. If fewer are calm, the calmest ones of this number count. */
const takenShareMin = 0.25;
const lookMs = 100;
/** A disturbed window is measured again, at most this often, so a machine that is never calm has figures too. */
const attemptsMax = 4;
/** Index of the column `steal`, and number of columns, in /proc/stat. */
const [stealColumn, columns] = [7, 8];

interface Look {
  readonly atMs: number;
  readonly stolen: number;
  readonly all: number;
}

const procStat = (): string => readFileSync('/proc/stat', 'utf8');

export class StolenTime {
  readonly #looks: Look[];
  readonly #timer: NodeJS.Timeout;

  /** @param read the text of /proc/stat. */
  constructor(read = procStat) {
    this.#looks = [lookOf(read())];
    this.#timer = setInterval(() => this.#looks.push(lookOf(read())), lookMs).unref();
  }

  /** Stolen share of all CPUs' time between two Unix times in milliseconds. */
  shareBetween(fromMs: number, toMs: number): number {
    const from = this.#looks.findLast(({ atMs }) => atMs <= fromMs) ?? this.#looks[0]!;
    const to = this.#looks.find(({ atMs }) => atMs >= toMs) ?? this.#looks.at(-1)!;
    return stolenShare(from, to);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/**
 * The result of `measure` while the hypervisor steals almost no time, or the calmest of `attemptsMax` results. Stolen
 * time counts as CPU time of the process that was running.
 */
export async function calmest<T>(measure: () => Promise<T>, read = procStat): Promise<T> {
  let best: { readonly share: number; readonly result: T } | undefined;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const from = lookOf(read());
    const result = await measure();
    const share = stolenShare(from, lookOf(read()));
    if (best === undefined || share < best.share) best = { share, result };
    if (share <= calmShareMax) break;
  }
  return best!.result;
}

/** The median p99 of the window's points with almost no stolen time. */
export function calmP99Us(
  { points, p99Us }: Pick<LoadWindow, 'points' | 'p99Us'>,
  stolen: Pick<StolenTime, 'shareBetween'>,
): number {
  const shareOf = ({ atMs }: LoadPoint, index: number): number =>
    stolen.shareBetween(points[index - 1]?.atMs ?? atMs - lookMs, atMs);
  const byShare = points
    .map((point, index) => ({ share: shareOf(point, index), p99Us: point.p99Us }))
    .sort((a, b) => a.share - b.share);
  const calm = byShare.filter(({ share }) => share <= calmShareMax).length;
  const taken = byShare.slice(0, Math.max(calm, Math.ceil(takenShareMin * points.length)));
  return taken.length === 0 ? p99Us : spreadOf(taken.map((point) => point.p99Us)).median;
}

function stolenShare(from: Look, to: Look): number {
  return to.all === from.all ? 0 : (to.stolen - from.stolen) / (to.all - from.all);
}

function lookOf(stat: string): Look {
  const [line = ''] = stat.split('\n');
  const ticks = line
    .trim()
    .split(/\s+/)
    .slice(1, 1 + columns)
    .map(Number);
  return { atMs: Date.now(), stolen: ticks[stealColumn] ?? 0, all: ticks.reduce((sum, n) => sum + n, 0) };
}
