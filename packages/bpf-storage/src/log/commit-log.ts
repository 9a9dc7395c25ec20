/**
 * Group commit: one write and one sync of the log for all waiting commits.
 *
 * A commit joins the waiting ones. One turn at a time takes all of them, writes their frames, syncs if any of them asks
 * for it, applies them to the memtable in the order of the log, and acknowledges them. While the disk syncs, the next
 * group gathers: the slower the disk, the larger the groups.
 *
 *   waiting    c4 c5 c6          a turn:  frames -> log -> sync -> apply -> acknowledge
 *   in turn    c1 c2 c3
 *
 * A turn without a request for a sync applies and acknowledges at once. Its frames wait here as *late* frames until the
 * next write, for at most `lateMs` or `lateBytesMax`. A crash loses at most the late and the unsynced frames, always from
 * the end: the frames on disk are a prefix of the acknowledged ones.
 *
 * Sealing syncs and ends a log. The first frame creates the next log. A failure may leave acknowledged writes in memory
 * only (see log-file.ts), or rejected writes in the log only. Then no commits are taken until the memtable is in a table.
 */
import type { ExopoolError } from '@exopool/shared';
import { toExopoolError } from '@exopool/shared';
import { LogFile } from './log-file.js';
import type { LogEnd } from './log-format.js';
import { Mutex } from '../base/mutex.js';

/** How long an acknowledged frame may wait before it is handed to the kernel, milliseconds. */
export const lateMs = 10;
/** How long after a failure late frames are tried again, milliseconds: a full disk may have space again. */
export const lateAgainMs = 1000;
/** With more late bytes than this, they are handed to the kernel at once. */
export const lateBytesMax = 1024 * 1024;

/** One batch of writes on its way. */
export interface Commit {
  /** From `encodeFrame`. */
  readonly frame: Buffer;
  /** Memory of the batch in the memtable, bytes. */
  readonly memoryBytes: number;
  /** Whether the batch must be on disk before it is acknowledged. */
  readonly sync: boolean;
  /**
   * Makes the batch visible in the turn in which it is called. The commit is acknowledged once the promise resolves. If it
   * throws because memory is missing, the commit rejects with that error.
   */
  apply(): Promise<void>;
}

interface Waiting extends Commit {
  readonly resolve: (applied: Promise<void>) => void;
  readonly reject: (error: unknown) => void;
}

export interface CommitLogOptions {
  readonly folder: string;
  /** The end of the last log that exists, and the number of the next log. */
  readonly previous: LogEnd;
  readonly next: number;
}

/** The write-ahead log of an open store: a sequence of log files. */
export class CommitLog {
  readonly #turns = new Mutex();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #late: Buffer[] = [];
  #lateTimer: NodeJS.Timeout | undefined;
  /** The last attempt to write late frames failed: the next commit gets the error. */
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

  /** Acknowledged commits, syncs, and bytes of written frames. */
  get counts(): { readonly commits: number; readonly logSyncs: number; readonly logBytes: number } {
    return { ...this.#counts };
  }

  /** Memory that commits in flight will take, bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Set while log and memtable differ; `commit()` rejects with it. */
  get failure(): ExopoolError | undefined {
    return this.#failure;
  }

  /** Resolves once the commit is applied, and on disk if it asks for a sync. A rejected commit was not applied. */
  commit(commit: Commit): Promise<void> {
    this.#waitingBytes += commit.memoryBytes;
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ ...commit, resolve, reject });
      if (this.#waiting.length === 1) void this.#turns.run(() => this.#commitWaiting());
    });
    return done;
  }

  /**
   * Syncs and ends the log after the commits in flight. It does not throw: an error is kept as `failure`.
   * @param onSealed called before any later commit is applied, with the number of the next log. Everything applied so far
   * is in logs below that number.
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

  /** To be called when the writes before a seal are in a table. Clears `failure` if it still is the given one. */
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

  /** A batch in the log that is not in the memtable must go with its log: no commits are taken until then. */
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

  /** Never throws: no caller waits for it. */
  async #appendLate(): Promise<void> {
    if (this.#failure === undefined) await this.#append([]).catch(() => undefined);
  }

  /** Hands late frames and `frames` to the kernel. If that fails, the late frames stay and are tried again. */
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
      // A full disk must not keep the process alive.
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
