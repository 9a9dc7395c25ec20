/**
 * A memory cgroup around one process: a hard limit, and the peak that the process reached. The limit covers all that
 * the process uses, including its page cache and the kernel's memory for it.
 *
 * {@link MemoryCgroup} takes memory from an application that must not notice. Here the limit is a condition of an
 * experiment: it is hard on both versions, nothing is swapped, and a process that needs more is killed, not stalled.
 * The cage has a journal of its own. It removes the cage at the end, or at the next start of exopool after a crash.
 *
 *   |        | v1                                             | v2                                |
 *   | limit  | memory.limit_in_bytes, memsw.limit_in_bytes    | memory.max, memory.swap.max 0     |
 *   | peak   | memory.max_usage_in_bytes                      | memory.peak (Linux ≥ 5.19)        |
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toExopoolError } from '@exopool/shared';
import { findMemoryHierarchy, MemoryCgroup, type CgroupHierarchy } from './cgroup.js';
import { defaultStateDir, MachineJournal } from './journal.js';

const files = {
  1: {
    limit: 'memory.limit_in_bytes',
    swap: 'memory.memsw.limit_in_bytes',
    peak: 'memory.max_usage_in_bytes',
  },
  2: { limit: 'memory.max', swap: 'memory.swap.max', peak: 'memory.peak' },
} as const;

/**
 * A hard memory limit for one process and its children. Close it, or use `await using`.
 * @example
 * ```ts
 * import { execFileSync } from 'node:child_process';
 * import { MemoryCage } from '@exopool/native';
 *
 * const cage = await MemoryCage.open('experiment', 64 * 1024 * 1024);
 * try {
 *   execFileSync('sh', ['-c', `echo $$ > ${cage.processesFile}; exec sort /etc/passwd`]);
 *   console.log(cage.peakBytes());
 * } finally {
 *   await cage.close();
 * }
 * ```
 */
export class MemoryCage {
  readonly path: string;
  readonly limitBytes: number;
  readonly #group: MemoryCgroup;
  readonly #journal: MachineJournal;

  /**
   * Makes the cgroup and sets the limit.
   * @param name the cgroup is `exopool-NAME`.
   * @param stateDir where the journal is kept.
   * @throws ExopoolError `EXOPOOL_PERMISSION` without root, `EXOPOOL_UNSUPPORTED` without memory cgroups.
   */
  static async open(
    name: string,
    limitBytes: number,
    stateDir: string = defaultStateDir(),
    hierarchy: CgroupHierarchy = findMemoryHierarchy(),
  ): Promise<MemoryCage> {
    const journal = MachineJournal.open(stateDir);
    try {
      return new MemoryCage(MemoryCgroup.create(journal, name, hierarchy), journal, limitBytes);
    } catch (error) {
      await journal.undoAll();
      throw toExopoolError(error, `cannot limit memory to ${limitBytes} bytes`);
    }
  }

  private constructor(group: MemoryCgroup, journal: MachineJournal, limitBytes: number) {
    const { limit, swap } = files[group.version];
    writeFileSync(join(group.path, limit), String(limitBytes));
    const swapFile = join(group.path, swap);
    // On v1 this limit counts memory and swap together.
    if (existsSync(swapFile)) writeFileSync(swapFile, group.version === 1 ? String(limitBytes) : '0');
    this.path = group.path;
    this.limitBytes = limitBytes;
    this.#group = group;
    this.#journal = journal;
  }

  /** A process that writes its pid to this file is in the cage from then on, with every process that it starts. */
  get processesFile(): string {
    return join(this.path, 'cgroup.procs');
  }

  /** The most memory that was in use at any time; usage now where the kernel keeps no peak (v2 before Linux 5.19). */
  peakBytes(): number {
    const file = join(this.path, files[this.#group.version].peak);
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : this.#group.sample().usageBytes;
  }

  /** Kills the processes that are still inside, and removes the cgroup. Idempotent. */
  async close(): Promise<void> {
    await this.#journal.undoAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
