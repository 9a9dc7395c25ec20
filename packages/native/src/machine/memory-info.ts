/** How much memory the machine has and how hard it is to get, from /proc. */
import { readFileSync } from 'node:fs';
import { toExopoolError } from '@exopool/shared';

export interface MemoryInfo {
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** What could be had without swapping: free, and caches that can be dropped. */
  readonly availableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
}

/** Share of the time, in per cent over the last ten seconds, in which tasks waited for memory. */
export interface MemoryPressure {
  /** At least one task waited. */
  readonly someAvg10: number;
  /** All of them waited. */
  readonly fullAvg10: number;
}

export function readMemoryInfo(file = '/proc/meminfo'): MemoryInfo {
  const text = readText(file);
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return {
    totalBytes: bytes('MemTotal'),
    freeBytes: bytes('MemFree'),
    availableBytes: bytes('MemAvailable'),
    swapTotalBytes: bytes('SwapTotal'),
    swapFreeBytes: bytes('SwapFree'),
  };
}

/** @param file the machine's, or a v2 cgroup's `memory.pressure`. `undefined` where the kernel has no PSI. */
export function readMemoryPressure(file = '/proc/pressure/memory'): MemoryPressure | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // Not there, or there but switched off: the kernel says EOPNOTSUPP then.
    return undefined;
  }
  const average = (kind: string): number =>
    Number(new RegExp(`^${kind} avg10=([0-9.]+)`, 'm').exec(text)?.[1] ?? 0);
  return { someAvg10: average('some'), fullAvg10: average('full') };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw toExopoolError(error, `cannot read ${file}`);
  }
}
