/**
 * A memory cgroup, version 1 or 2 behind one interface: how much memory its processes use, and a limit that pushes
 * everything above it out to swap.
 *
 *   |                     | v1                               | v2                                |
 *   | limit               | memory.limit_in_bytes, hard      | memory.high, soft: slows, no kill |
 *   | lowering it         | reclaims, or EBUSY               | memory.reclaim pushes out first,  |
 *   |                     |                                  | so no process is slowed meanwhile |
 *   | when it is too low  | the OOM killer; we switch it off | processes are slowed              |
 *
 * Under a hard limit the kernel kills an application that grows faster than swap takes its pages.
 * `memory.oom_control` makes the application wait instead. So the caller that lowers the limit must watch
 * {@link CgroupSample.isStalled}, and lift the limit again.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import type { ChangeRecorder } from './machine-change.js';
import { cgroupPrefix } from './cgroup-removal.js';
import { readMemoryPressure, type MemoryPressure } from './memory-info.js';
import { pushOut } from './push-out.js';

/** A mounted cgroup hierarchy that controls memory. */
export interface CgroupHierarchy {
  readonly version: 1 | 2;
  /** The mount point. */
  readonly root: string;
}

/** What a cgroup uses now. */
export interface CgroupSample {
  /** Memory in use, without swapped-out pages. */
  readonly usageBytes: number;
  /** Swapped-out pages that are not in memory as well. */
  readonly swappedBytes: number;
  /** Major faults since the cgroup was made: pages that came back from swap or disk. */
  readonly pageIns: number;
  /** Processes wait because the limit leaves no memory for them. */
  readonly isStalled: boolean;
  /** `undefined` on v1 and without PSI. */
  readonly pressure: MemoryPressure | undefined;
}

const files = {
  1: { limit: 'memory.limit_in_bytes', usage: 'memory.usage_in_bytes', unlimited: '-1' },
  2: { limit: 'memory.high', usage: 'memory.current', unlimited: 'max' },
} as const;

/** On v1 "no limit" is the largest multiple of a page; a number near it means no limit. */
const unlimitedBytesV1 = 2 ** 62;

/**
 * Finds the hierarchy that controls memory: v1 where it is mounted, else v2.
 * @throws ExopoolError `EXOPOOL_UNSUPPORTED` when neither is mounted.
 */
export function findMemoryHierarchy(mountsFile = '/proc/self/mounts'): CgroupHierarchy {
  const mounts = readFileSync(mountsFile, 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const v1 = mounts.find(
    ([, , type, options]) => type === 'cgroup' && options?.split(',').includes('memory'),
  );
  if (v1?.[1] !== undefined) return { version: 1, root: v1[1] };
  const v2 = mounts.find(
    ([, path = '', type]) => type === 'cgroup2' && words(join(path, 'cgroup.controllers')).includes('memory'),
  );
  if (v2?.[1] !== undefined) return { version: 2, root: v2[1] };
  throw new ExopoolError(
    'EXOPOOL_UNSUPPORTED',
    'this machine has no memory cgroups; boot with cgroup_enable=memory, or mount them',
  );
}

/**
 * One memory cgroup: its usage, and a limit on it.
 * @example
 * ```ts
 * import { MachineJournal, MemoryCgroup } from '@exopool/native';
 *
 * const group = MemoryCgroup.ofProcess(process.pid);
 * const { usageBytes } = group.sample();
 * const journal = MachineJournal.open();
 * try {
 *   console.log(await group.setLimit(journal, usageBytes - 16 * 1024 * 1024)); // the usage that was reached
 * } finally {
 *   await journal.undoAll(); // the limit is what it was before
 * }
 * ```
 */
export class MemoryCgroup {
  readonly path: string;
  readonly version: 1 | 2;
  #isLimited = false;
  /** Counts calls that set the limit: only the latest goes on. */
  #turn = 0;
  #pushing: Promise<unknown> = Promise.resolve();

  /**
   * An existing cgroup.
   * @param path its folder, such as `/sys/fs/cgroup/memory/redis`.
   * @throws ExopoolError `EXOPOOL_NOT_FOUND` when there is none, or when it cannot have a memory limit.
   */
  static at(path: string): MemoryCgroup {
    const version = ([1, 2] as const).find((candidate) => existsSync(join(path, files[candidate].limit)));
    if (version !== undefined) return new MemoryCgroup(path, version);
    const message = `${path} is not a memory cgroup below the root; give its full path, as in /sys/fs/cgroup/…`;
    throw new ExopoolError('EXOPOOL_NOT_FOUND', message);
  }

  /** The cgroup of a running process. @throws ExopoolError `EXOPOOL_NOT_FOUND`, also for the root cgroup. */
  static ofProcess(pid: number, hierarchy: CgroupHierarchy = findMemoryHierarchy()): MemoryCgroup {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    } catch (error) {
      throw new ExopoolError(
        'EXOPOOL_NOT_FOUND',
        `there is no process ${pid}; give the pid of one that runs`,
        { cause: error },
      );
    }
    const pattern = hierarchy.version === 1 ? /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m : /^0::(.*)$/m;
    return MemoryCgroup.at(join(hierarchy.root, pattern.exec(text)?.[1] ?? '/'));
  }

  /**
   * The cgroup of a running systemd unit.
   * @throws ExopoolError `EXOPOOL_NOT_FOUND` when there is no such unit or no systemd.
   */
  static ofUnit(unit: string, hierarchy: CgroupHierarchy = findMemoryHierarchy()): MemoryCgroup {
    const path = unitProperty(unit, 'ControlGroup');
    const ofUnit = join(hierarchy.root, path);
    if (path.length > 1 && existsSync(join(ofUnit, files[hierarchy.version].limit)))
      return MemoryCgroup.at(ofUnit);
    // On v1 a unit has a memory cgroup of its own only with MemoryAccounting=yes. Else its process tells the cgroup.
    const pid = Number(unitProperty(unit, 'MainPID'));
    if (pid > 0) return MemoryCgroup.ofProcess(pid, hierarchy);
    const message = `the unit ${unit} does not run; start it (systemctl start ${unit}), or give --cgroup or --pid`;
    throw new ExopoolError('EXOPOOL_NOT_FOUND', message);
  }

  /**
   * Makes the cgroup `exopool-NAME` below the root. The journal removes it, and kills its processes.
   * @throws ExopoolError `EXOPOOL_PERMISSION` without root, `EXOPOOL_UNSUPPORTED` without memory cgroups.
   */
  static create(
    journal: ChangeRecorder,
    name: string,
    hierarchy: CgroupHierarchy = findMemoryHierarchy(),
  ): MemoryCgroup {
    const path = join(hierarchy.root, `${cgroupPrefix}${name}`);
    try {
      if (hierarchy.version === 2) enableMemory(journal, hierarchy.root);
      journal.record({ kind: 'cgroup', path });
      mkdirSync(path);
    } catch (error) {
      throw toExopoolError(error, `cannot make the cgroup ${path} (root is needed)`);
    }
    return MemoryCgroup.at(path);
  }

  private constructor(path: string, version: 1 | 2) {
    this.path = path;
    this.version = version;
  }

  /** Reads usage, swap and stalls now. @throws ExopoolError `EXOPOOL_NOT_FOUND` when the cgroup is gone. */
  sample(): CgroupSample {
    return this.version === 1 ? this.#sampleV1() : this.#sampleV2();
  }

  /** The limit now, bytes; `undefined`: no limit. */
  limitBytes(): number | undefined {
    const text = this.#read(files[this.version].limit);
    return text === 'max' || Number(text) >= unlimitedBytesV1 ? undefined : Number(text);
  }

  /**
   * Sets the limit, or removes it (`undefined`). A lower limit pushes out the memory above it, in idle time, until a
   * later call ends that. The first call records the old limit in the journal.
   *
   * A process at its limit must push one page out for each page that it brings back: a fault of 9 µs (zram) then
   * takes 36 µs. `headroomBytes` avoids that: the kernel's limit is this much above the usage that was reached. Setting
   * the same limit again pushes out what has come back since.
   * @returns the usage that was reached. It is above `bytes` when pages could not be pushed out. `undefined` without a
   *   limit, and when a later call came in between.
   * @throws ExopoolError `EXOPOOL_PERMISSION` without root, `EXOPOOL_NOT_FOUND` when the cgroup is gone.
   */
  async setLimit(
    journal: ChangeRecorder,
    bytes: number | undefined,
    headroomBytes = 0,
  ): Promise<number | undefined> {
    const turn = (this.#turn += 1);
    if (!this.#isLimited) {
      this.#isLimited = true;
      await this.#rememberLimit(journal);
    }
    // At once: processes that wait for memory must not wait for the work in flight as well …
    if (bytes === undefined) await this.#lift();
    await this.#pushing;
    if (turn !== this.#turn) return undefined;
    // … and once more at the end, since that work may have set a limit again.
    if (bytes === undefined) {
      await this.#lift();
      return undefined;
    }
    const reached = this.#pushDown(bytes, headroomBytes, () => turn === this.#turn);
    this.#pushing = reached.catch(() => undefined);
    return reached;
  }

  async #lift(): Promise<void> {
    await this.#write(files[this.version].limit, files[this.version].unlimited);
  }

  async #pushDown(
    bytes: number,
    headroomBytes: number,
    isWanted: () => boolean,
  ): Promise<number | undefined> {
    const reclaimFile = join(this.path, 'memory.reclaim');
    const reached = await pushOut({
      targetBytes: bytes,
      headroomBytes: Math.round(headroomBytes),
      limitFile: join(this.path, files[this.version].limit),
      reclaimFile: this.version === 2 && existsSync(reclaimFile) ? reclaimFile : undefined,
      usageBytes: () => Number(this.#read(files[this.version].usage)),
      isWanted,
    });
    return isWanted() ? reached : undefined;
  }

  async #rememberLimit(journal: ChangeRecorder): Promise<void> {
    const limitFile = join(this.path, files[this.version].limit);
    // v1 shows "no limit" as a large number, and accepts that number as a limit which means the same.
    journal.record({ kind: 'file', path: limitFile, old: this.#read(files[this.version].limit) });
    if (this.version === 2) return;
    const oomFile = join(this.path, 'memory.oom_control');
    const old = /oom_kill_disable (\d)/.exec(this.#read('memory.oom_control'))?.[1] ?? '0';
    journal.record({ kind: 'file', path: oomFile, old });
    await this.#write('memory.oom_control', '1');
  }

  /** The file with this cgroup's pressure stall information; `undefined` on v1 and without PSI. */
  get pressureFile(): string | undefined {
    const file = join(this.path, 'memory.pressure');
    return this.version === 2 && existsSync(file) ? file : undefined;
  }

  #sampleV1(): CgroupSample {
    const stat = this.#stat();
    return {
      usageBytes: Number(this.#read('memory.usage_in_bytes')),
      swappedBytes: Math.max(0, (stat('total_swap') || stat('swap')) - stat('total_swapcached')),
      pageIns: stat('total_pgmajfault'),
      isStalled: /under_oom 1/.test(this.#read('memory.oom_control')),
      pressure: undefined,
    };
  }

  #sampleV2(): CgroupSample {
    const swapFile = join(this.path, 'memory.swap.current');
    const stat = this.#stat();
    const swapped = existsSync(swapFile) ? Number(this.#read('memory.swap.current')) : 0;
    return {
      usageBytes: Number(this.#read('memory.current')),
      swappedBytes: Math.max(0, swapped - stat('swapcached')),
      pageIns: stat('pgmajfault'),
      isStalled: false,
      pressure: readMemoryPressure(join(this.path, 'memory.pressure')),
    };
  }

  #stat(): (name: string) => number {
    const text = this.#read('memory.stat');
    return (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  }

  #read(name: string): string {
    try {
      return readFileSync(join(this.path, name), 'utf8').trim();
    } catch (error) {
      throw toExopoolError(error, `cannot read ${name} of ${this.path}`);
    }
  }

  async #write(name: string, value: string): Promise<void> {
    try {
      await writeFile(join(this.path, name), value);
    } catch (error) {
      throw toExopoolError(error, `cannot write ${name} of ${this.path} (root is needed)`);
    }
  }
}

/** On v2 a cgroup has memory files only when its parent enables the controller for its children. */
function enableMemory(journal: ChangeRecorder, parent: string): void {
  const path = join(parent, 'cgroup.subtree_control');
  if (words(path).includes('memory')) return;
  journal.record({ kind: 'file', path, old: '-memory' });
  writeFileSync(path, '+memory');
}

function unitProperty(unit: string, property: string): string {
  const args = ['show', `--property=${property}`, '--value', '--', unit];
  try {
    return execFileSync('systemctl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (error) {
    const message = `cannot ask systemd for the unit ${unit}; give --cgroup or --pid instead`;
    throw new ExopoolError('EXOPOOL_NOT_FOUND', message, { cause: error });
  }
}

function words(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split(/\s+/);
  } catch {
    return [];
  }
}
