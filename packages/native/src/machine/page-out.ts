/**
 * Pushes chosen ranges of a process out to swap, where a limit has the kernel choose. Both calls look at the process's
 * own memory only, not at pages of files or at shared memory, and run on libuv's threads.
 */
import { loadBinding } from '../load-binding.js';
import { pageCallResult } from './page-call.js';

export interface AddressRange {
  /** Addresses are below 2^47, or 2^52 where a process asks for that: exact as a number. */
  readonly start: number;
  readonly end: number;
}

export interface SizedRange extends AddressRange {
  readonly bytes: number;
}

interface PageOutBinding {
  /** Ranges are start, end and bytes, one after the other; sets the bytes. Resolves with 0, or minus an errno. */
  countResident(pid: number, ranges: Float64Array): Promise<number>;
  /** Resolves with bytes, or minus an errno. */
  pageOut(pid: number, ranges: Float64Array): Promise<number>;
}

/**
 * How much of each range is in memory; 0 when the process is gone.
 * @throws ExopoolError `EXOPOOL_PERMISSION` or `EXOPOOL_IO`.
 */
export async function residentRanges<T extends AddressRange>(
  pid: number,
  ranges: readonly T[],
): Promise<(T & SizedRange)[]> {
  const binding = loadBinding() as unknown as PageOutBinding;
  const words = flatten(ranges.map(({ start, end }) => ({ start, end, bytes: 0 })));
  const isThere = pageCallResult(pid, await binding.countResident(pid, words)) !== undefined;
  return ranges.map((range, index) => ({ ...range, bytes: isThere ? words[3 * index + 2]! : 0 }));
}

/**
 * Pushes out up to `bytes` of each range, lowest addresses first, whole pages, used or not. What was unmapped meanwhile
 * is skipped.
 * @returns the bytes that the kernel was told to push out, 0 when the process is gone. It keeps what is shared with
 *   another process.
 * @throws ExopoolError `EXOPOOL_PERMISSION`, `EXOPOOL_UNSUPPORTED` (before Linux 5.10) or `EXOPOOL_IO`.
 */
export async function pageOut(pid: number, ranges: readonly SizedRange[]): Promise<number> {
  if (ranges.length === 0) return 0;
  const binding = loadBinding() as unknown as PageOutBinding;
  return pageCallResult(pid, await binding.pageOut(pid, flatten(ranges))) ?? 0;
}

function flatten(ranges: readonly SizedRange[]): Float64Array {
  return Float64Array.from(ranges.flatMap(({ start, end, bytes }) => [start, end, bytes]));
}
