/**
 * What to push out when idle memory is known: the ranges that nobody has touched for the longest time go first, as far
 * as a step's bytes reach. Pure.
 *
 *   ranges, by age    ██████ ████ ███████ ███ ██ │ younger than the cooling period: left alone
 *                     ◀── the step's bytes ──▶
 */
import type { AddressRange, IdleRange, SizedRange } from '@exopool/native';

const pageBytes = 4096;

/** A range that is old enough at the end of a cooling period has been looked at so often in it. */
const looksPerCooling = 10;
/** More often it costs the application time for no better answer; less often, a harvester waits for the answer. */
const lookMsMin = 100;
const lookMsMax = 2000;
/**
 * Samples that are counted together. Below 10 DAMON takes any access for a change, and an age is time without one; from
 * 10 on it forgives one in ten.
 */
const samplesPerLook = 8;
/** What the application has mapped is asked so much less often. */
const looksPerUpdate = 10;

/** A smaller area is not worth a region. */
const areaBytesMin = 1024 * 1024;
/** The largest so many: DAMON is left enough of its regions to split them. */
const areasMax = 200;

/** A process takes the place of the one that is watched when it is so much larger: ages start anew with it. */
const takeOverRatio = 2;

export interface WatchIntervals {
  readonly sampleUs: number;
  readonly aggregationUs: number;
  readonly updateMs: number;
}

/** How closely to look at an application, to know at the end of a cooling period what was idle in it. */
export function watchIntervals(coolingMs: number): WatchIntervals {
  const lookMs = Math.min(lookMsMax, Math.max(lookMsMin, coolingMs / looksPerCooling));
  const sampleUs = Math.round((lookMs * 1000) / samplesPerLook);
  const aggregationUs = sampleUs * samplesPerLook;
  return { sampleUs, aggregationUs, updateMs: (aggregationUs / 1000) * looksPerUpdate };
}

/** Those of an application's areas that are worth watching, in order of address. */
export function areasToWatch(areas: readonly AddressRange[]): AddressRange[] {
  const size = ({ start, end }: AddressRange): number => end - start;
  return areas
    .filter((area) => size(area) >= areaBytesMin)
    .sort((a, b) => size(b) - size(a))
    .slice(0, areasMax)
    .sort((a, b) => a.start - b.start);
}

/**
 * The process to watch of those of a cgroup: the largest, unless the one that is watched is not much smaller.
 * @param bytes memory of each process.
 * @returns its pid; `undefined` when there is none.
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
 * What to push out of each range: whole pages, oldest ranges first, `wantedBytes` in all at most.
 * @param ranges with the bytes of each that are in memory; in any order.
 * @param idleMs younger ranges are left alone.
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
