/**
 * Pushes chosen ranges of a process out to swap. (Under a cgroup's limit the kernel chooses.) Both calls touch private
 * memory of the process only, never pages of files or shared memory. They run on libuv's threads.
 */
import { pageOutRange, pageOutRangeWords } from '../contracts.js';
import { loadBinding } from '../load-binding.js';
import { pageCallResult } from './page-call.js';

/** A range of a process's address space. */
export interface AddressRange {
  /** Addresses are below 2^47, or below 2^52 where a process asks for that, so a number holds them exactly. */
  readonly start: number;
  readonly end: number;
}

/** A range, and how many bytes of it are meant. */
export interface SizedRange extends AddressRange {
  readonly bytes: number;
}

interface PageOutBinding {
  /** Ranges one after the other, each as `pageOutRange` has it; sets the bytes. Resolves with 0, or minus an errno. */
  countResident(pid: number, ranges: Float64Array): Promise<number>;
  /** Resolves with bytes, or minus an errno. */
  pageOut(pid: number, ranges: Float64Array): Promise<number>;
}

/**
 * Tells how many bytes of each range are in memory; 0 when the process is gone.
 * @throws ExopoolError `EXOPOOL_PERMISSION` or `EXOPOOL_IO`.
 */
export async function residentRanges<T extends AddressRange>(
  pid: number,
  ranges: readonly T[],
): Promise<(T & SizedRange)[]> {
  const binding = loadBinding() as unknown as PageOutBinding;
  const words = flatten(ranges.map(({ start, end }) => ({ start, end, bytes: 0 })));
  const isThere = pageCallResult(pid, await binding.countResident(pid, words)) !== undefined;
  return ranges.map((range, index) => ({
    ...range,
    bytes: isThere ? words[pageOutRangeWords * index + pageOutRange.bytes]! : 0,
  }));
}

/**
 * Pushes out up to `bytes` of each range: whole pages, lowest addresses first, in use or not. Ranges that were unmapped
 * meanwhile are skipped.
 * @returns the bytes that the kernel was told to push out; 0 when the process is gone. The kernel keeps pages that the
 *   process shares with another one.
 * @throws ExopoolError `EXOPOOL_PERMISSION`, `EXOPOOL_UNSUPPORTED` (before Linux 5.10) or `EXOPOOL_IO`.
 */
export async function pageOut(pid: number, ranges: readonly SizedRange[]): Promise<number> {
  if (ranges.length === 0) return 0;
  const binding = loadBinding() as unknown as PageOutBinding;
  return pageCallResult(pid, await binding.pageOut(pid, flatten(ranges))) ?? 0;
}

function flatten(ranges: readonly SizedRange[]): Float64Array {
  const words = new Float64Array(pageOutRangeWords * ranges.length);
  ranges.forEach(({ start, end, bytes }, index) => {
    const at = pageOutRangeWords * index;
    words[at + pageOutRange.start] = start;
    words[at + pageOutRange.end] = end;
    words[at + pageOutRange.bytes] = bytes;
  });
  return words;
}
