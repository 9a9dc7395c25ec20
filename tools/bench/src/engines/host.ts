/**
 * The engines that run on this machine: lookups per second by depth and chains, in memory and from disks.
 *
 * Every engine reads the page of every hop; a store does `pread, interior pages cached`. Cold means past the page cache
 * (O_DIRECT). For page-cache-bpf, which reads only from the page cache, cold means that the file is dropped from it
 * before each call. In each round all engines take a turn at a point before the next point.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MachineJournal, tableEngineSupport, type TableEngine } from '@exopool/native';
import { addZramDisk, TableFile } from '@exopool/native/internal';
import { MiB, toExopoolError } from '@exopool/shared';
import { readIntoPageCache } from '../machine/cold-files.js';
import { rotated } from '../lookup/plan.js';
import { spreadOf } from '../statistics.js';
import type { Row } from '../suite.js';
import { buildCounter, type CountOptions } from './guest-count.js';
import { hostRowName, type Disk, type HostPlan, type Temperature } from './host-plan.js';
import { lookUpFor, type WindowResult } from './host-window.js';

const run = promisify(execFile);
const zramBytes = 512 * MiB;

interface Contender {
  readonly name: string;
  readonly engine: TableEngine;
  readonly cachesInterior: boolean;
}

interface Point {
  readonly disk: Disk;
  readonly temperature: Temperature;
  readonly depth: number;
  readonly chains: number;
}

export class HostRun {
  readonly #rows: Row[] = [];
  readonly #notes: string[] = [];
  readonly #contenders: readonly Contender[];

  constructor(
    private readonly plan: HostPlan,
    private readonly folder: string,
    private readonly options: CountOptions,
  ) {
    const support = tableEngineSupport();
    for (const { engine, available, reason } of support)
      if (!available)
        this.#note(`${engine} does not run on this machine: ${reason ?? 'for no known reason'}`);
    this.#contenders = [
      { name: 'pread, interior pages cached', engine: 'pread', cachesInterior: true },
      ...support
        .filter(({ available }) => available)
        .map(({ engine }) => ({ name: engine, engine, cachesInterior: false })),
    ];
  }

  async run(): Promise<{ readonly rows: readonly Row[]; readonly notes: readonly string[] }> {
    const writer = join(dirname(await buildCounter(this.options.signal)), 'write_deep_table');
    await this.#onDisk('disk', writer);
    await this.#onZram(writer);
    return { rows: this.#rows, notes: this.#notes };
  }

  async #onZram(writer: string): Promise<void> {
    const journal = MachineJournal.open();
    try {
      const mountPoint = join(this.folder, 'zram');
      await mkdir(mountPoint, { recursive: true });
      await addZramDisk(journal, zramBytes, mountPoint);
      await this.#onDisk('zram', writer);
    } catch (error) {
      this.options.signal.throwIfAborted();
      this.#note(`zram is left out: ${toExopoolError(error).message}`);
    } finally {
      await journal.undoAll();
    }
  }

  async #onDisk(disk: Disk, writer: string): Promise<void> {
    for (const depth of this.plan.depths) {
      // One folder for each table, since whole folders are dropped from the page cache.
      const folder = join(this.folder, disk, `depth-${depth}`);
      const path = join(folder, 'table');
      await mkdir(folder, { recursive: true });
      await run(writer, [path, String(depth)], { signal: this.options.signal });
      for (const temperature of ['warm', 'cold'] as const) {
        this.options.say(`${disk}, ${temperature}, depth ${depth}`);
        if (temperature === 'warm') await readIntoPageCache(folder);
        for (const chains of this.plan.chains) await this.#point(path, { disk, temperature, depth, chains });
      }
    }
  }

  async #point(path: string, point: Point): Promise<void> {
    const measured = new Map(this.#contenders.map(({ name }) => [name, [] as WindowResult[]]));
    const failed = new Map<string, string>();
    for (let round = 0; round < this.plan.rounds; round += 1) {
      for (const contender of rotated(this.#contenders, round)) {
        this.options.signal.throwIfAborted();
        if (failed.has(contender.name)) continue;
        try {
          measured.get(contender.name)!.push(await this.#window(path, point, contender));
        } catch (error) {
          failed.set(contender.name, toExopoolError(error).message);
        }
      }
    }
    for (const { name, cachesInterior } of this.#contenders) {
      const hops = cachesInterior ? 1 : point.depth;
      this.#rows.push({ ...hostRow(point, name, hops, measured.get(name)!), failed: failed.get(name) });
    }
  }

  async #window(path: string, { temperature, chains }: Point, contender: Contender): Promise<WindowResult> {
    const isCold = temperature === 'cold';
    const table = TableFile.open(path, { direct: isCold, cacheInterior: contender.cachesInterior });
    try {
      const drops = isCold && contender.engine === 'page-cache-bpf';
      return await lookUpFor(table, contender.engine, { chains, seconds: this.plan.window_s, drops });
    } finally {
      table.close();
    }
  }

  #note(text: string): void {
    this.#notes.push(text);
    this.options.say(text);
  }
}

/** The row of a contender at a point, with the number of hops per lookup. */
export function hostRow(
  { disk, temperature, depth, chains }: Point,
  contender: string,
  hops: number,
  rounds: readonly WindowResult[],
): Row {
  const name = hostRowName(disk, temperature, depth, chains);
  if (rounds.length === 0) return { name, contender };
  const rates = spreadOf(rounds.map(({ batches, seconds }) => (batches * chains) / seconds));
  return {
    name,
    contender,
    ops_per_s: rates.median,
    ops_per_s_min: rates.min,
    ops_per_s_max: rates.max,
    us_per_batch: (1e6 * chains) / rates.median,
    hops_per_s: rates.median * hops,
  };
}
