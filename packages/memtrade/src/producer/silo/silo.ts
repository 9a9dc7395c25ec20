/**
 * The victim memory: holds the pages that were pushed out of the application. It is set up by the plan of
 * silo-policy.ts, measured while it is used, and undone by the journal.
 */
import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { readMemoryInfo, type MachineJournal } from '@exopool/native';
import {
  addZramSwap,
  compactZram,
  enableZswap,
  hasZramWriteback,
  hasZswap,
  readSwapAreas,
  readZramBacking,
  readZramReadBytes,
  readZramStats,
  readZswapStats,
  ZramWriteback,
  zramControl,
} from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { isWorthCompacting, planSilo, type SiloMachine, type SiloPlan } from './silo-policy.js';

export interface SiloOptions {
  readonly swapBytes: number;
  readonly backingBytes: number;
  /** Folder of the file for idle pages, on a disk. */
  readonly backingDir: string;
  /** A page that was idle for so long goes to the file. */
  readonly coolingMs: number;
}

export interface SiloStatus {
  readonly kind: SiloPlan['kind'];
  /** Size of the stored pages before compression. */
  readonly storedBytes: number;
  /** Memory that the compressed pages take. */
  readonly memoryBytes: number;
  /** Size of the pages in memory before compression, divided by their size after it; 1 without pages. */
  readonly compressionRatio: number;
  /** Size of the pages on a disk. */
  readonly diskBytes: number;
  /** Share of the pages brought back that came from memory; `undefined` before the first one. */
  readonly hitRate?: number;
}

const pageBytes = 4096;
/** Shortest intervals: each time the kernel scans all pages, for idle ones or for gaps. */
const writebackIntervalMsMin = 10_000;
const compactIntervalMs = 10_000;

export class Silo {
  readonly #plan: SiloPlan;
  readonly #writeback: ZramWriteback | undefined;
  readonly #writebackIntervalMs: number;
  readonly #zswapAtStart = readZswapStats();
  #wroteBackMs = -Infinity;
  #compactedMs = -Infinity;
  #work: Promise<void> | undefined;

  /** @throws ExopoolError `EXOPOOL_UNSUPPORTED` with the remedy, `EXOPOOL_PERMISSION` without root. */
  static async open(journal: MachineJournal, options: SiloOptions): Promise<Silo> {
    const plan = planSilo(look(options), { ...options, pageBytes });
    if (plan.kind === 'none') throw new ExopoolError('EXOPOOL_UNSUPPORTED', plan.reason);
    if (plan.kind === 'zswap') enableZswap(journal, plan.poolPercentMax);
    if (plan.kind === 'zram') await addZramSwap(journal, plan.sizeBytes);
    if (plan.kind !== 'zram with writeback') return new Silo(plan, options, undefined);
    const file = join(options.backingDir, `exopool-silo-${process.pid}-${Date.now()}`);
    const { id } = await addZramSwap(journal, plan.sizeBytes, { file, bytes: plan.backingBytes });
    return new Silo(plan, options, id);
  }

  private constructor(plan: SiloPlan, { coolingMs }: SiloOptions, writebackId: number | undefined) {
    this.#plan = plan;
    this.#writebackIntervalMs = Math.max(writebackIntervalMsMin, coolingMs / 4);
    if (writebackId !== undefined) this.#writeback = new ZramWriteback(writebackId, coolingMs / 1000);
  }

  /** From time to time, moves idle pages to the disk and compacts compressed memory, at idle priority. */
  turn(nowMs: number): void {
    // A later turn retries what failed.
    this.#work ??= this.#tidy(nowMs)
      .catch(() => undefined)
      .finally(() => (this.#work = undefined));
  }

  /** Resolves when no work is in flight, so that its devices may be removed. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async #tidy(nowMs: number): Promise<void> {
    if (this.#writeback !== undefined && nowMs - this.#wroteBackMs >= this.#writebackIntervalMs) {
      this.#wroteBackMs = nowMs;
      await this.#writeback.turn(nowMs);
    }
    if (nowMs - this.#compactedMs < compactIntervalMs) return;
    this.#compactedMs = nowMs;
    for (const id of zramSwapIds()) {
      const { compressedBytes, usedBytes: memoryBytes } = readZramStats(id);
      if (isWorthCompacting({ compressedBytes, memoryBytes })) await compactZram(id);
    }
  }

  status(): SiloStatus {
    const { kind } = this.#plan;
    const { storedBytes, memoryBytes, diskBytes, hits, misses } =
      kind === 'zswap' ? this.#zswapFigures() : zramFigures();
    const inMemory = storedBytes - diskBytes;
    return {
      kind,
      storedBytes,
      memoryBytes,
      diskBytes,
      compressionRatio: memoryBytes === 0 || inMemory === 0 ? 1 : inMemory / memoryBytes,
      ...(hits + misses === 0 ? {} : { hitRate: hits / (hits + misses) }),
    };
  }

  #zswapFigures(): Figures {
    const now = readZswapStats();
    const swapped = readSwapAreas().reduce((sum, area) => sum + area.usedBytes, 0);
    return {
      storedBytes: swapped,
      memoryBytes: now.usedBytes,
      diskBytes: Math.max(0, swapped - now.originalBytes),
      hits: now.hits - this.#zswapAtStart.hits,
      misses: now.misses - this.#zswapAtStart.misses,
    };
  }
}

interface Figures {
  readonly storedBytes: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly hits: number;
  readonly misses: number;
}

/** The figures of all swap areas together: the kernel chooses the area of a page. */
function zramFigures(): Figures {
  const total = { storedBytes: 0, memoryBytes: 0, diskBytes: 0, hits: 0, misses: 0 };
  for (const { path, usedBytes } of readSwapAreas()) {
    total.storedBytes += usedBytes;
    const id = zramIdOf(path);
    if (id === undefined) {
      total.diskBytes += usedBytes;
      continue;
    }
    const backing = readZramBacking(id);
    total.memoryBytes += readZramStats(id).usedBytes;
    total.diskBytes += backing?.storedBytes ?? 0;
    total.misses += backing?.readBytes ?? 0;
    total.hits += Math.max(0, readZramReadBytes(id) - (backing?.readBytes ?? 0));
  }
  return total;
}

function zramIdOf(path: string): number | undefined {
  const id = /^\/dev\/zram(\d+)$/.exec(path)?.[1];
  return id === undefined ? undefined : Number(id);
}

function zramSwapIds(): number[] {
  return readSwapAreas().flatMap(({ path }) => zramIdOf(path) ?? []);
}

function look({ backingBytes, backingDir }: SiloOptions): SiloMachine {
  const disk = backingBytes > 0 && existsSync(backingDir) ? statfsSync(backingDir) : undefined;
  return {
    totalBytes: readMemoryInfo().totalBytes,
    swapPaths: readSwapAreas().map(({ path }) => path),
    hasZram: existsSync(`${zramControl}/hot_add`),
    hasZramWriteback: hasZramWriteback(),
    hasZswap: hasZswap(),
    diskFreeBytes: disk === undefined ? 0 : disk.bavail * disk.bsize,
  };
}
