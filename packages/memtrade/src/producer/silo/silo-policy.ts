/**
 * Chooses the kind and size of the victim memory, which holds pushed-out pages. Pure.
 *
 *   existing swap        zram           used as it is
 *                        on a disk      zswap in front of it, when the kernel has it; else as it is
 *   no swap              zram, with writeback of idle pages to a file when kernel and disk allow it
 *   neither              nothing can be harvested; the plan has the reason
 *
 * A compressed page still takes memory, so zram is at most half as large as the memory. Full of pages that compress to
 * a half, it takes a quarter of the machine.
 */

export interface SiloMachine {
  readonly totalBytes: number;
  readonly swapPaths: readonly string[];
  readonly hasZram: boolean;
  readonly hasZramWriteback: boolean;
  readonly hasZswap: boolean;
  /** Free disk space for the backing file; 0 without a folder for it. */
  readonly diskFreeBytes: number;
}

export interface SiloSettings {
  /** Largest size of the new compressed swap, before compression. */
  readonly swapBytes: number;
  /** Largest size of the file for idle pages; 0: no file. */
  readonly backingBytes: number;
  readonly pageBytes: number;
}

export type SiloPlan =
  | { readonly kind: 'existing swap' }
  | { readonly kind: 'zswap'; readonly poolPercentMax: number }
  | { readonly kind: 'zram'; readonly sizeBytes: number }
  | { readonly kind: 'zram with writeback'; readonly sizeBytes: number; readonly backingBytes: number }
  | { readonly kind: 'none'; readonly reason: string };

/** Largest size of zram as a share of the memory; it counts pages before compression. */
const zramShareMax = 0.5;
/** The kernel's default; zswap counts pages after compression. */
const zswapPoolPercentMax = 20;
/** Largest share of the free disk space for the file: the disk belongs to the application. */
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
      reason: 'this machine has no swap and no zram: run `modprobe zram`, or set up swap',
    };
  }
  const wholePages = (bytes: number): number => Math.floor(bytes / settings.pageBytes) * settings.pageBytes;
  const inMemory = wholePages(Math.min(settings.swapBytes, machine.totalBytes * zramShareMax));
  if (inMemory === 0)
    return { kind: 'none', reason: '--swap-mib 0 allows no swap: give a larger --swap-mib' };
  const backingBytes = wholePages(Math.min(settings.backingBytes, machine.diskFreeBytes * diskShareMax));
  if (!machine.hasZramWriteback || backingBytes === 0) return { kind: 'zram', sizeBytes: inMemory };
  // The size of the device counts pages in memory and in the file.
  return { kind: 'zram with writeback', sizeBytes: inMemory + backingBytes, backingBytes };
}

export interface PoolFill {
  /** Size of the stored pages after compression. */
  readonly compressedBytes: number;
  /** Memory that the pool takes. */
  readonly memoryBytes: number;
}

/** With a smaller share of gaps, compacting a pool is not worth the work. */
const gapShareMax = 0.06;
/** Smaller gaps are not worth the work either. */
const gapBytesMin = 8 * 1024 * 1024;

/**
 * Whether compressed memory should be compacted. Pages that came back leave gaps between the others, and gaps are lost
 * memory. After half of its pages came back, a pool took twice the memory of the pages in it.
 */
export function isWorthCompacting({ compressedBytes, memoryBytes }: PoolFill): boolean {
  return memoryBytes - compressedBytes > Math.max(gapBytesMin, memoryBytes * gapShareMax);
}
