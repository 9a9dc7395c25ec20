/**
 * Time that the hypervisor took from this machine's CPUs, from /proc/stat, and a p99 that it did not spoil: a guest that is
 * off its CPU for 10 ms has a p99 of 10 ms for half a second, whatever the application does.
 */
import { readFileSync } from 'node:fs';
import { spreadOf } from '../statistics.js';
import type { LoadPoint, LoadWindow } from './load/window.js';

/** Of the CPUs' time: one tick of one of two CPUs in half a second. */
const calmShareMax = 0.011;
/** Of a window's points: as many are taken, the calmest, where fewer are calm. */
const takenShareMin = 0.25;
const lookMs = 100;
/** A window that was spoilt is measured again; a machine that is never calm has its figures all the same. */
const attemptsMax = 4;
/** As the columns of /proc/stat are ordered. */
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

  /** Of all CPUs' time between two Unix times, milliseconds. */
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
 * What `measure` finds while the hypervisor takes next to nothing, or in the calmest of `attemptsMax` times: stolen time
 * counts as the CPU time of whom it was stolen from.
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

/** The median p99 of the window's points in which (nearly) nothing was stolen. */
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
