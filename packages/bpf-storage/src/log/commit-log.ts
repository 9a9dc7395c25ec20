/**
 * Group commit: one write and one sync of the log for everybody who waits.
 *
 * A commit joins those that wait. One turn at a time takes all of them, writes their frames, syncs if any of them
 * asked for it, and only then applies them to the memtable, in the order of the log, and acknowledges them. While the
 * disk syncs, the next group gathers: the slower the disk, the larger the groups.
 *
 *   waiting    c4 c5 c6          a turn:  frames -> log -> sync -> apply -> acknowledge
 *   in turn    c1 c2 c3
 *
 * A turn in which nobody asked for a sync applies and acknowledges at once; its frames stay here as *late* ones until
 * the next write, or for `lateMs` or `lateBytesMax`. A crash loses at most what is late or not synced, always from
 * the end: what is on disk is a prefix of what was acknowledged.
 *
 * Sealing ends a log, all of it on disk, and a log is made when the first frame for it comes. After a failure that
 * leaves acknowledged writes in memory only (see log-file.ts), or rejected ones in the log only, no commits are taken
 * until the memtable is in a table.
 */
import type { ExopoolError } from '@exopool/shared';
import { toExopoolError } from '@exopool/shared';
import { LogFile } from './log-file.js';
import type { LogEnd } from './log-format.js';
import { Mutex } from '../base/mutex.js';

/** How long an acknowledged frame waits for company before it is handed to the kernel, milliseconds. */
export const lateMs = 10;
/** How long after a failure they are tried again, milliseconds: a full disk has space again when somebody makes it. */
export const lateAgainMs = 1000;
/** Late frames that are handed to the kernel at once, bytes: what one write carries well. */
export const lateBytesMax = 1024 * 1024;

export interface Commit {
  /** From `encodeFrame`. */
  readonly frame: Buffer;
  /** Memory that applying it will take, bytes. */
  readonly memoryBytes: number;
  /** Whether it must be on disk before it is acknowledged. */
  readonly sync: boolean;
  /**
   * Makes it visible, in the turn in which it is called; acknowledged once the promise resolves. When it throws, for want
   * of memory, the commit is rejected with that.
   */
  apply(): Promise<void>;
}

interface Waiting extends Commit {
  readonly resolve: (applied: Promise<void>) => void;
  readonly reject: (error: unknown) => void;
}

export interface CommitLogOptions {
  readonly folder: string;
  /** The log before the first one, and the number of the first one. */
  readonly previous: LogEnd;
  readonly next: number;
}

export class CommitLog {
  readonly #turns = new Mutex();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #late: Buffer[] = [];
  #lateTimer: NodeJS.Timeout | undefined;
  /** The last attempt to write late frames failed: whoever commits next is told. */
  #lateFailed = false;
  #log: LogFile | undefined;
  #previous: LogEnd;
  #next: number;
  #failure: ExopoolError | undefined;
  readonly #counts = { commits: 0, logSyncs: 0, logBytes: 0 };

  constructor(private readonly options: CommitLogOptions) {
    this.#previous = options.previous;
    this.#next = options.next;
  }

  /** Commits acknowledged, syncs that covered them, and bytes of frames written. */
  get counts(): { readonly commits: number; readonly logSyncs: number; readonly logBytes: number } {
    return { ...this.#counts };
  }

  /** Memory that commits under way will take, bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Set while log and memory differ in what was acknowledged; `commit()` rejects with it. */
  get failure(): ExopoolError | undefined {
    return this.#failure;
  }

  /** Resolves once the commit is applied, and on disk if it asked for that. What is rejected was not applied. */
  commit(commit: Commit): Promise<void> {
    this.#waitingBytes += commit.memoryBytes;
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ ...commit, resolve, reject });
      if (this.#waiting.length === 1) void this.#turns.run(() => this.#commitWaiting());
    });
    return done;
  }

  /**
   * Ends the log, all of it on disk, after the commits of now. A failure is not thrown: it is kept as `failure`.
   * @param onSealed called before any later commit is applied, with the number of the next log: everything applied so
   * far is in logs below it.
   */
  async seal<T>(onSealed: (next: number) => T): Promise<T> {
    return this.#turns.run(async () => {
      try {
        if (this.#failure === undefined) {
          await this.#append([]);
          await this.#sync();
        }
      } catch (error) {
        this.#failure ??= toExopoolError(error);
      }
      await this.#endLog();
      return onSealed(this.#next);
    });
  }

  /** What was applied before a seal is on disk by other means: commits are taken again, if `failure` was why not. */
  recovered(failure: ExopoolError | undefined): void {
    if (this.#failure === failure) this.#failure = undefined;
  }

  async #commitWaiting(): Promise<void> {
    const group = this.#waiting;
    this.#waiting = [];
    let failure: unknown;
    try {
      await this.#record(group);
      this.#counts.commits += group.length;
    } catch (error) {
      failure = error;
    }
    for (const commit of group) {
      this.#waitingBytes -= commit.memoryBytes;
      if (failure === undefined) this.#apply(commit);
      else commit.reject(failure);
    }
  }

  /** What is in the log and not in the memtable must go with the log: no more is taken until then. */
  #apply(commit: Waiting): void {
    try {
      commit.resolve(commit.apply());
    } catch (error) {
      this.#failure ??= toExopoolError(error);
      commit.reject(error);
    }
  }

  async #record(group: readonly Waiting[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const frames = group.map(({ frame }) => frame);
    const mustSync = group.some(({ sync }) => sync);
    if (mustSync || this.#lateFailed || totalBytes(this.#late) + totalBytes(frames) > lateBytesMax) {
      await this.#append(frames);
      if (mustSync) await this.#sync();
      return;
    }
    this.#late.push(...frames);
    this.#lateTimer ??= this.#appendLateIn(lateMs);
  }

  #appendLateIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => void this.#turns.run(() => this.#appendLate()), ms);
  }

  /** Never throws: nobody waits for it. */
  async #appendLate(): Promise<void> {
    if (this.#failure === undefined) await this.#append([]).catch(() => undefined);
  }

  /** Hands late frames and `frames` to the kernel. When that fails the late ones stay late, and are tried again. */
  async #append(frames: readonly Buffer[]): Promise<void> {
    clearTimeout(this.#lateTimer);
    this.#lateTimer = undefined;
    const all = [...this.#late, ...frames];
    if (all.length === 0) return;
    try {
      const log = await this.#openLog();
      await log.append(all);
    } catch (error) {
      this.#lateFailed = this.#late.length > 0;
      if (this.#log?.isBroken === true) this.#failure = toExopoolError(error);
      // A process that has nothing else to do need not stay for a disk that is full.
      else if (this.#lateFailed) this.#lateTimer = this.#appendLateIn(lateAgainMs).unref();
      throw error;
    }
    this.#late = [];
    this.#lateFailed = false;
    this.#counts.logBytes += totalBytes(all);
  }

  async #sync(): Promise<void> {
    if (this.#log === undefined || this.#log.synced === this.#log.end) return;
    try {
      await this.#log.sync();
      this.#counts.logSyncs += 1;
    } catch (error) {
      this.#failure = toExopoolError(error);
      throw error;
    }
  }

  async #openLog(): Promise<LogFile> {
    this.#log ??= await LogFile.create(this.options.folder, this.#next, this.#previous);
    this.#next = this.#log.number + 1;
    return this.#log;
  }

  async #endLog(): Promise<void> {
    clearTimeout(this.#lateTimer);
    this.#lateTimer = undefined;
    this.#late = [];
    this.#lateFailed = false;
    if (this.#log === undefined) return;
    this.#previous = { number: this.#log.number, end: this.#log.synced };
    await this.#log.close();
    this.#log = undefined;
  }
}

function totalBytes(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}
