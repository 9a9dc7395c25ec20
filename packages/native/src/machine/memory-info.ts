/** How much memory the machine has, and how long tasks wait for it, from /proc. */
import { readFileSync } from 'node:fs';
import { toExopoolError } from '@exopool/shared';

/** Memory and swap of the machine, in bytes. */
export interface MemoryInfo {
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Can be allocated without swapping: free memory, and caches that can be dropped. */
  readonly availableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
}

/** Share of the last ten seconds in which tasks waited for memory, in per cent. */
export interface MemoryPressure {
  /** At least one task waited. */
  readonly someAvg10: number;
  /** All tasks waited. */
  readonly fullAvg10: number;
}

/** Reads the machine's memory now. @throws ExopoolError when `file` cannot be read. */
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

/**
 * Reads the pressure stall information for memory.
 * @param file the machine's, or the `memory.pressure` of a v2 cgroup.
 * @returns `undefined` where the kernel has no PSI, or has it switched off.
 */
export function readMemoryPressure(file = '/proc/pressure/memory'): MemoryPressure | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // The file is missing, or PSI is switched off: the kernel answers EOPNOTSUPP then.
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
