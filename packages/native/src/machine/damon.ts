/**
 * DAMON, the kernel's monitor of memory accesses, through its folder in sysfs. It tells which ranges of a process are
 * idle.
 *
 *   kdamonds/0/state                        on | off | commit | update_schemes_tried_regions
 *             /contexts/0/operations        fvaddr: given ranges of an address space
 *                        /targets/0         the process, and the ranges
 *                        /schemes/0         `stat`: reports regions without an access for so long, changes nothing
 *                                  /tried_regions/N     one such region: start, end, age
 *
 * DAMON looks at one page of a region per sample, and splits and merges regions by what it sees. So an idle range may
 * hold pages that are in use, the more so the larger the regions are. Gaps and swapped-out pages count as idle.
 *
 * We give the ranges (`fvaddr`). With `vaddr` DAMON takes the whole address space but the two largest gaps. That is
 * 55 TB for a process of Node.js, whose heap is scattered, and regions never become as small as what is in use.
 *
 * One process is watched at a time. `tried_regions` does not name the process of a region, so each process would need a
 * kdamond of its own. The number of kdamonds can change only while none runs, so all ages would be lost with every
 * process that comes or goes. Kdamonds of others are never touched: where there are any, we do without DAMON.
 */
import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { count, isRunning, readMark, removeDamon } from './damon-removal.js';
import type { ChangeRecorder } from './machine-change.js';
import type { AddressRange } from './page-out.js';

/** How finely DAMON looks. */
export interface DamonSettings {
  /** Time between two looks at a region, and the time after which they are counted together: the unit of ages. */
  readonly sampleUs: number;
  readonly aggregationUs: number;
  /** At least 3. */
  readonly regionsMin: number;
  /** At least 10, the kernel's first value for the lower bound. */
  readonly regionsMax: number;
  /** Ranges that have been idle for less are not reported. */
  readonly idleMs: number;
}

/** A range without accesses. */
export interface IdleRange extends AddressRange {
  /** Time since the last access that was seen. */
  readonly ageMs: number;
}

const damonFolder = '/sys/kernel/mm/damon/admin';

/** Our kdamond is marked by the greatest age that it reports: in units of 100 ms or longer, more than 6 years. */
const markMin = 2 ** 31;
const markMax = 2 ** 32 - 1;
const anySize = '18446744073709551615';

/**
 * A kdamond of our own, which watches one process at a time.
 * @example
 * ```ts
 * import { Damon, MachineJournal } from '@exopool/native';
 *
 * const journal = MachineJournal.open();
 * try {
 *   const damon = await Damon.open(journal, {
 *     sampleUs: 100_000,
 *     aggregationUs: 2_000_000,
 *     regionsMin: 10,
 *     regionsMax: 1000,
 *     idleMs: 60_000,
 *   });
 *   await damon.watch(process.pid, [{ start: 0x7f0000000000, end: 0x7f0000100000 }]);
 *   console.log(await damon.idleRanges());
 * } finally {
 *   await journal.undoAll(); // stops and removes the kdamond
 * }
 * ```
 */
export class Damon {
  readonly #kdamonds: string;
  readonly #settings: DamonSettings;
  readonly #mark: number;
  #pid: number | undefined;

  /**
   * Sets up a kdamond that does not run yet. The journal removes it.
   * @throws ExopoolError `EXOPOOL_UNSUPPORTED` when the kernel lacks DAMON or somebody else uses it,
   *   `EXOPOOL_PERMISSION` without root.
   */
  static async open(journal: ChangeRecorder, settings: DamonSettings, folder = damonFolder): Promise<Damon> {
    const kdamonds = join(folder, 'kdamonds');
    checkFree(kdamonds);
    const mark = randomInt(markMin, markMax);
    journal.record({ kind: 'damon', kdamonds, mark });
    const damon = new Damon(kdamonds, settings, mark);
    try {
      await damon.#setUp();
      return damon;
    } catch (error) {
      await removeDamon(kdamonds, mark);
      throw toExopoolError(error, `cannot set up ${kdamonds} (root is needed)`);
    }
  }

  private constructor(kdamonds: string, settings: DamonSettings, mark: number) {
    this.#kdamonds = kdamonds;
    this.#settings = settings;
    this.#mark = mark;
  }

  /**
   * Watches these ranges of this process from now on, and nothing else. Ranges that were watched before keep their ages.
   * @param areas in order of address, without overlaps. An empty list changes nothing.
   * @throws ExopoolError `EXOPOOL_UNSUPPORTED` when the kernel refuses: the process is gone, or DAMON is taken.
   */
  async watch(pid: number, areas: readonly AddressRange[]): Promise<void> {
    this.#checkOurs();
    if (areas.length === 0) return;
    const isOn = isRunning(this.#kdamonds);
    try {
      if (isOn && pid !== this.#pid) await this.#write('state', 'off');
      await this.#describe(pid, areas);
      await this.#write('state', isOn && pid === this.#pid ? 'commit' : 'on');
      this.#pid = pid;
    } catch (error) {
      const message = `DAMON cannot watch process ${pid}; it ended, or the kernel itself uses DAMON (DAMON_RECLAIM, DAMON_LRU_SORT)`;
      throw new ExopoolError('EXOPOOL_UNSUPPORTED', message, { cause: error });
    }
  }

  async #describe(pid: number, areas: readonly AddressRange[]): Promise<void> {
    const target = 'contexts/0/targets/0';
    await this.#write(`${target}/pid_target`, String(pid));
    await this.#write(`${target}/regions/nr_regions`, String(areas.length));
    for (const [index, { start, end }] of areas.entries()) {
      await this.#write(`${target}/regions/${index}/start`, String(start));
      await this.#write(`${target}/regions/${index}/end`, String(end));
    }
  }

  /**
   * Ranges that were idle for `idleMs` or longer, oldest first. The kernel answers within one aggregation. An empty list
   * while no process is watched.
   */
  async idleRanges(): Promise<IdleRange[]> {
    this.#checkOurs();
    if (!isRunning(this.#kdamonds)) return [];
    await this.#write('state', 'update_schemes_tried_regions');
    const folder = join(this.#kdamonds, '0/contexts/0/schemes/0/tried_regions');
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map((name) => this.#readRange(join(folder, name)))
      .sort((a, b) => b.ageMs - a.ageMs);
  }

  #readRange(folder: string): IdleRange {
    const read = (name: string): number => Number(readFileSync(join(folder, name), 'utf8'));
    const ageMs = (read('age') * this.#settings.aggregationUs) / 1000;
    return { start: read('start'), end: read('end'), ageMs };
  }

  async #setUp(): Promise<void> {
    const { sampleUs, aggregationUs, regionsMin, regionsMax, idleMs } = this.#settings;
    await writeFile(join(this.#kdamonds, 'nr_kdamonds'), '1');
    await this.#write('contexts/nr_contexts', '1');
    // The mark comes before any target, so a kdamond with neither is ours as well.
    await this.#write('contexts/0/schemes/nr_schemes', '1');
    await this.#write('contexts/0/schemes/0/access_pattern/age/max', String(this.#mark));
    this.#checkOperations();
    const files = [
      ['operations', 'fvaddr'],
      ['targets/nr_targets', '1'],
      ['monitoring_attrs/intervals/sample_us', sampleUs],
      ['monitoring_attrs/intervals/aggr_us', aggregationUs],
      ['monitoring_attrs/nr_regions/max', regionsMax],
      ['monitoring_attrs/nr_regions/min', regionsMin],
      ['schemes/0/action', 'stat'],
      ['schemes/0/access_pattern/sz/max', anySize],
      ['schemes/0/access_pattern/nr_accesses/max', 0],
      ['schemes/0/access_pattern/age/min', Math.ceil((idleMs * 1000) / aggregationUs)],
    ] as const;
    for (const [name, value] of files) await this.#write(`contexts/0/${name}`, String(value));
  }

  #checkOperations(): void {
    const operations = readFileSync(join(this.#kdamonds, '0/contexts/0/avail_operations'), 'utf8');
    if (operations.split(/\s+/).includes('fvaddr')) return;
    const message = 'DAMON of this kernel cannot watch processes; boot a kernel with CONFIG_DAMON_VADDR';
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', message);
  }

  #checkOurs(): void {
    if (readMark(this.#kdamonds) === this.#mark) return;
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      'somebody else has taken DAMON; stop that program, and start again',
    );
  }

  /** The kernel carries a command for `state` out inside of the write, which takes up to one aggregation. */
  async #write(name: string, value: string): Promise<void> {
    await writeFile(join(this.#kdamonds, '0', name), value);
  }
}

function checkFree(kdamonds: string): void {
  if (!existsSync(kdamonds)) {
    const message = `${kdamonds} is missing; boot a kernel with CONFIG_DAMON_SYSFS and CONFIG_DAMON_VADDR`;
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', message);
  }
  const others = count(join(kdamonds, 'nr_kdamonds'));
  if (others === 0) return;
  const message = `somebody else uses DAMON (${others} kdamonds); stop that program, then echo 0 > ${kdamonds}/nr_kdamonds`;
  throw new ExopoolError('EXOPOOL_UNSUPPORTED', message);
}
