/**
 * Chooses the idle ranges to push out: the longest idle go first, up to the bytes of a step. Pure.
 *
 *   ranges, by age    ██████ ████ ███████ ███ ██ │ younger than the cooling period: left alone
 *                     ◀── the step's bytes ──▶
 */
import type { AddressRange, IdleRange, SizedRange } from '@exopool/native';

const pageBytes = 4096;

/** Looks at a range within one cooling period. */
const looksPerCooling = 10;
/** More looks cost the application time for no better answer; with fewer, the harvester waits for the answer. */
const lookMsMin = 100;
const lookMsMax = 2000;
/**
 * Samples of one look. Below 10 samples, DAMON resets a range's age at any access; from 10 on it tolerates one access
 * in ten.
 */
const samplesPerLook = 8;
/** Looks between two readings of the application's mappings. */
const looksPerUpdate = 10;

/** A smaller area is not worth a region. */
const areaBytesMin = 1024 * 1024;
/** Only the largest areas are watched, so that DAMON has regions left to split them. */
const areasMax = 200;

/** Another process is watched only when it is so much larger: ages start anew with it. */
const takeOverRatio = 2;

export interface WatchIntervals {
  readonly sampleUs: number;
  readonly aggregationUs: number;
  readonly updateMs: number;
}

/** Intervals that are short enough to know at the end of a cooling period what was idle in it. */
export function watchIntervals(coolingMs: number): WatchIntervals {
  const lookMs = Math.min(lookMsMax, Math.max(lookMsMin, coolingMs / looksPerCooling));
  const sampleUs = Math.round((lookMs * 1000) / samplesPerLook);
  const aggregationUs = sampleUs * samplesPerLook;
  return { sampleUs, aggregationUs, updateMs: (aggregationUs / 1000) * looksPerUpdate };
}

/** The areas of an application that are worth watching, in order of address. */
export function areasToWatch(areas: readonly AddressRange[]): AddressRange[] {
  const size = ({ start, end }: AddressRange): number => end - start;
  return areas
    .filter((area) => size(area) >= areaBytesMin)
    .sort((a, b) => size(b) - size(a))
    .slice(0, areasMax)
    .sort((a, b) => a.start - b.start);
}

/**
 * Chooses the process of a cgroup to watch: the largest one. The watched one stays while it is not much smaller.
 * @param bytes the memory of each process.
 * @returns its pid; `undefined` without processes.
 */
export function processToWatch(
  watched: number | undefined,
  bytes: ReadonlyMap<number, number>,
): number | undefined {
  let largest: number | undefined;
  for (const [pid, size] of bytes) if (largest === undefined || size > bytes.get(largest)!) largest = pid;
  if (watched === undefined || largest === undefined || !bytes.has(watched)) return largest;
  return bytes.get(largest)! >= bytes.get(watched)! * takeOverRatio ? largest : watched;
}

/**
 * Chooses the whole pages to push out of each range: longest idle first, at most `wantedBytes` in all.
 * @param ranges the ranges, in any order, with their resident bytes.
 * @param idleMs ranges that have been idle for less time stay.
 */
export function pickIdle(
  ranges: readonly (IdleRange & SizedRange)[],
  wantedBytes: number,
  idleMs: number,
): SizedRange[] {
  const picks: SizedRange[] = [];
  let left = wholePages(wantedBytes);
  const idle = ranges.filter(({ ageMs }) => ageMs >= idleMs);
  for (const { start, end, bytes } of idle.sort((a, b) => b.ageMs - a.ageMs)) {
    if (left <= 0) break;
    const taken = Math.min(left, wholePages(bytes));
    if (taken > 0) picks.push({ start, end, bytes: taken });
    left -= taken;
  }
  return picks;
}

function wholePages(bytes: number): number {
  return Math.floor(bytes / pageBytes) * pageBytes;
}
