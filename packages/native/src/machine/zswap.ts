/** zswap: a compressed cache in memory, in front of swap on a disk. Its shrinker moves cold pages to the disk. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChangeRecorder } from './machine-change.js';

/** What zswap holds, and what it saved. */
export interface ZswapStats {
  /** Pages in the cache before compression, and the memory that they take. */
  readonly originalBytes: number;
  readonly usedBytes: number;
  /** Pages that came back from the cache, and from the disks behind it, since boot. */
  readonly hits: number;
  readonly misses: number;
}

const folder = (sysfs: string): string => join(sysfs, 'module/zswap/parameters');

/** Whether the kernel has zswap. */
export function hasZswap(sysfs = '/sys'): boolean {
  return existsSync(join(folder(sysfs), 'enabled'));
}

/** Switches zswap on, with its shrinker where the kernel has one (Linux 6.8). The journal keeps the old settings. */
export function enableZswap(journal: ChangeRecorder, poolPercentMax: number, sysfs = '/sys'): void {
  const wanted = { max_pool_percent: String(poolPercentMax), shrinker_enabled: 'Y', enabled: 'Y' };
  for (const [name, value] of Object.entries(wanted)) {
    const path = join(folder(sysfs), name);
    if (!existsSync(path)) continue;
    const old = readFileSync(path, 'utf8').trim();
    if (old === value) continue;
    journal.record({ kind: 'file', path, old });
    writeFileSync(path, value);
  }
}

/** Reads the counters now. */
export function readZswapStats(procfs = '/proc'): ZswapStats {
  const meminfo = readFileSync(join(procfs, 'meminfo'), 'utf8');
  const vmstat = readFileSync(join(procfs, 'vmstat'), 'utf8');
  const figure = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  return {
    originalBytes: figure(meminfo, /^Zswapped:\s+(\d+) kB/m) * 1024,
    usedBytes: figure(meminfo, /^Zswap:\s+(\d+) kB/m) * 1024,
    hits: figure(vmstat, /^zswpin (\d+)$/m),
    misses: figure(vmstat, /^pswpin (\d+)$/m),
  };
}
