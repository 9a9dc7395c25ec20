/**
 * Where pushed-out pages go: the kind of victim memory that a machine gets, and its size. Pure.
 *
 *   swap already there   zram           used as it is
 *                        on a disk      zswap before it, when the kernel has it; else as it is
 *   no swap              zram, with writeback of idle pages to a file when kernel and disk allow it
 *   neither              nothing can be harvested, and why
 *
 * A page in compressed memory still takes a part of itself, so zram is never larger than half of the memory: filled
 * with what compresses to a half, it would take a quarter of the machine.
 */

export interface SiloMachine {
  readonly totalBytes: number;
  readonly swapPaths: readonly string[];
  readonly hasZram: boolean;
  readonly hasZramWriteback: boolean;
  readonly hasZswap: boolean;
  /** Free where the backing file would be; 0 where there is no place. */
  readonly diskFreeBytes: number;
}

export interface SiloSettings {
  /** Most bytes (before compression) in compressed memory of ours. */
  readonly swapBytes: number;
  /** Most bytes of the file that idle pages are moved to; 0: no file. */
  readonly backingBytes: number;
  readonly pageBytes: number;
}

export type SiloPlan =
  | { readonly kind: 'existing swap' }
  | { readonly kind: 'zswap'; readonly poolPercentMax: number }
  | { readonly kind: 'zram'; readonly sizeBytes: number }
  | { readonly kind: 'zram with writeback'; readonly sizeBytes: number; readonly backingBytes: number }
  | { readonly kind: 'none'; readonly reason: string };

/** The part of memory that compressed pages may take, by their size before compression. */
const zramShareMax = 0.5;
/** zswap counts what it takes after compression: the kernel's own default. */
const zswapPoolPercentMax = 20;
/** The file may take so much of what is free: the disk is the application's. */
const diskShareMax = 0.25;

export function planSilo(machine: SiloMachine, settings: SiloSettings): SiloPlan {
  if (machine.swapPaths.length > 0) {
    const isCompressed = machine.swapPaths.some((path) => /^\/dev\/zram\d+$/.test(path));
    if (isCompressed || !machine.hasZswap) return { kind: 'existing swap' };
    return { kind: 'zswap', poolPercentMax: zswapPoolPercentMax };
  }
  if (!machine.hasZram) {
    return {
      kind: 'none',
      reason: 'there is no swap, and the kernel has no zram: run `modprobe zram`, or set up swap',
    };
  }
  const wholePages = (bytes: number): number => Math.floor(bytes / settings.pageBytes) * settings.pageBytes;
  const inMemory = wholePages(Math.min(settings.swapBytes, machine.totalBytes * zramShareMax));
  if (inMemory === 0) return { kind: 'none', reason: 'no swap is allowed: give --swap-mib' };
  const backingBytes = wholePages(Math.min(settings.backingBytes, machine.diskFreeBytes * diskShareMax));
  if (!machine.hasZramWriteback || backingBytes === 0) return { kind: 'zram', sizeBytes: inMemory };
  // The device's size counts pages wherever they are: what has gone to the file makes room in memory.
  return { kind: 'zram with writeback', sizeBytes: inMemory + backingBytes, backingBytes };
}

export interface PoolFill {
  /** Of the pages that are stored, after compression. */
  readonly compressedBytes: number;
  /** What the pool takes of memory. */
  readonly memoryBytes: number;
}

/** The part of a pool that may be gaps: what compacting it further would win is not worth the work. */
const gapShareMax = 0.06;
/** Neither are gaps of less than this. */
const gapBytesMin = 8 * 1024 * 1024;

/**
 * Whether compressed memory should be compacted: pages that came back leave gaps between those that stay, which are
 * memory that nobody has. Half of the pages back left a pool at twice what is in it.
 */
export function isWorthCompacting({ compressedBytes, memoryBytes }: PoolFill): boolean {
  return memoryBytes - compressedBytes > Math.max(gapBytesMin, memoryBytes * gapShareMax);
}
