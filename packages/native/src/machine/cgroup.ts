/**
 * A memory cgroup, version 1 or 2 behind one interface: how much its processes use, and a limit that pushes the rest
 * out to swap.
 *
 *   |                     | v1                               | v2                                |
 *   | limit               | memory.limit_in_bytes, hard      | memory.high, soft: slows, no kill |
 *   | lowering it         | reclaims, EBUSY when it can't    | memory.reclaim pushes out first,  |
 *   |                     |                                  | so nobody is slowed meanwhile     |
 *   | when it is too low  | the OOM killer; we switch it off | processes are slowed              |
 *
 * With a hard limit an application that grows faster than swap takes it is killed. `memory.oom_control` makes it wait
 * instead; whoever lowers the limit looks at {@link MemoryCgroup.isStalled} and lifts it again.
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

export interface CgroupHierarchy {
  readonly version: 1 | 2;
  /** Where it is mounted. */
  readonly root: string;
}

export interface CgroupSample {
  /** Memory in use, without what is swapped out. */
  readonly usageBytes: number;
  /** Swapped out and not in memory as well. */
  readonly swappedBytes: number;
  /** Major faults since the cgroup was made: pages that had to be brought back from swap or disk. */
  readonly pageIns: number;
  /** Processes wait because the limit leaves nothing for them. */
  readonly isStalled: boolean;
  /** `undefined` on v1 and without PSI. */
  readonly pressure: MemoryPressure | undefined;
}

const files = {
  1: { limit: 'memory.limit_in_bytes', usage: 'memory.usage_in_bytes', unlimited: '-1' },
  2: { limit: 'memory.high', usage: 'memory.current', unlimited: 'max' },
} as const;

/** On v1 "no limit" is the largest multiple of a page; anything near it is none. */
const unlimitedBytesV1 = 2 ** 62;

/**
 * The hierarchy that controls memory: v1 where it is mounted, else v2.
 * @throws ExopoolError `EXOPOOL_UNSUPPORTED` when there is neither.
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
    'no memory cgroups: boot with cgroup_enable=memory, or mount them',
  );
}

export class MemoryCgroup {
  readonly path: string;
  readonly version: 1 | 2;
  #isLimited = false;
  /** Of the calls that set the limit: the latest alone goes on. */
  #turn = 0;
  #pushing: Promise<unknown> = Promise.resolve();

  /**
   * A cgroup that is there.
   * @throws ExopoolError `EXOPOOL_NOT_FOUND` when it is not, or is no memory cgroup that has a limit.
   */
  static at(path: string): MemoryCgroup {
    const version = ([1, 2] as const).find((candidate) => existsSync(join(path, files[candidate].limit)));
    if (version !== undefined) return new MemoryCgroup(path, version);
    const message = `${path} is not a memory cgroup below the root: give its full path, as in /sys/fs/cgroup/…`;
    throw new ExopoolError('EXOPOOL_NOT_FOUND', message);
  }

  /** The cgroup of a running process. @throws ExopoolError `EXOPOOL_NOT_FOUND`, also for the root cgroup. */
  static ofProcess(pid: number, hierarchy: CgroupHierarchy = findMemoryHierarchy()): MemoryCgroup {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    } catch (error) {
      throw new ExopoolError('EXOPOOL_NOT_FOUND', `there is no process ${pid}`, { cause: error });
    }
    const pattern = hierarchy.version === 1 ? /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m : /^0::(.*)$/m;
    return MemoryCgroup.at(join(hierarchy.root, pattern.exec(text)?.[1] ?? '/'));
  }

  /**
   * The cgroup of a systemd unit that runs.
   * @throws ExopoolError `EXOPOOL_NOT_FOUND` when there is no such unit or no systemd.
   */
  static ofUnit(unit: string, hierarchy: CgroupHierarchy = findMemoryHierarchy()): MemoryCgroup {
    const path = unitProperty(unit, 'ControlGroup');
    const ofUnit = join(hierarchy.root, path);
    if (path.length > 1 && existsSync(join(ofUnit, files[hierarchy.version].limit)))
      return MemoryCgroup.at(ofUnit);
    // On v1 a unit has a memory cgroup of its own only with MemoryAccounting=yes; its process says where it is.
    const pid = Number(unitProperty(unit, 'MainPID'));
    if (pid > 0) return MemoryCgroup.ofProcess(pid, hierarchy);
    const message = `the unit ${unit} does not run: start it (systemctl start ${unit}), or give --cgroup or --pid`;
    throw new ExopoolError('EXOPOOL_NOT_FOUND', message);
  }

  /** Makes a cgroup of ours below the root; `name` gets the prefix that all of ours have. */
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

  sample(): CgroupSample {
    return this.version === 1 ? this.#sampleV1() : this.#sampleV2();
  }

  /** The limit now; `undefined` is none. */
  limitBytes(): number | undefined {
    const text = this.#read(files[this.version].limit);
    return text === 'max' || Number(text) >= unlimitedBytesV1 ? undefined : Number(text);
  }

  /**
   * Sets the limit (`undefined`: none), and on the way down pushes out what is above it, in time that nobody else
   * wants; a later call ends that. The first call writes down in the journal what the limit was.
   *
   * A process at its limit pushes a page out, itself, for every one that it brings back: a fault of 9 µs (zram) then
   * takes 36. With `headroomBytes` the kernel's limit is higher by so much than what usage was pushed down to, and
   * setting the same limit again pushes out what has come back since.
   * @returns the usage that was reached: higher than asked for when pages could not be pushed out. `undefined` for no
   *   limit, and when a later call came in between.
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
    // At once: who waits for memory does not wait for what is under way as well …
    if (bytes === undefined) await this.#lift();
    await this.#pushing;
    if (turn !== this.#turn) return undefined;
    // … and then for good, since that may have set a limit once more.
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
    // v1 shows "none" as a number that it then takes for a limit of its own; it means the same.
    journal.record({ kind: 'file', path: limitFile, old: this.#read(files[this.version].limit) });
    if (this.version === 2) return;
    const oomFile = join(this.path, 'memory.oom_control');
    const old = /oom_kill_disable (\d)/.exec(this.#read('memory.oom_control'))?.[1] ?? '0';
    journal.record({ kind: 'file', path: oomFile, old });
    await this.#write('memory.oom_control', '1');
  }

  /** Where the kernel's own word about waiting in this cgroup is; `undefined` on v1 and without PSI. */
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

/** On v2 a cgroup has the memory files only when its parent hands the controller down. */
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
    const message = `cannot ask systemd for the unit ${unit}: give --cgroup or --pid instead`;
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
