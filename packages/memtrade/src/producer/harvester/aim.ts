/**
 * Aims a step at idle memory: pushes out what DAMON saw nobody touch, before a limit has the kernel choose. What it does
 * not reach (the machine has no DAMON, other processes of the application, ranges that are not idle for long enough)
 * is left to the limit.
 */
import { Damon, pageOut, residentRanges, type MachineJournal } from '@exopool/native';
import { privateAreas, residentBytes } from '@exopool/native/internal';
import { toExopoolError } from '@exopool/shared';
import { areasToWatch, pickIdle, processToWatch, watchIntervals } from './aim-policy.js';

export interface AimStatus {
  /** Pushed out since the start because nobody touched it. */
  readonly pushedBytes: number;
  /** Why nothing is aimed at now, and what would help. */
  readonly reason?: string;
}

/** DAMON splits an address space into so many parts at least: the more, the smaller what it can tell apart. */
const regionsMin = 100;
/** And into so many at most, each of which costs a look at a page a sample. */
const regionsMax = 1000;

export class Aim {
  readonly #coolingMs: number;
  #damon: Damon | undefined;
  #watched: number | undefined;
  #updatedMs = -Infinity;
  #pushedBytes = 0;
  #reason: string | undefined;

  /** What the machine lacks is no error: {@link status} says it, and nothing is pushed out. The journal undoes it. */
  static async open(journal: MachineJournal, coolingMs: number): Promise<Aim> {
    const aim = new Aim(coolingMs);
    const settings = { ...watchIntervals(coolingMs), regionsMin, regionsMax, idleMs: coolingMs };
    await aim.#attempt(async () => {
      aim.#damon = await Damon.open(journal, settings);
    });
    return aim;
  }

  private constructor(coolingMs: number) {
    this.#coolingMs = coolingMs;
  }

  get status(): AimStatus {
    const reason = this.#reason === undefined ? {} : { reason: this.#reason };
    return { pushedBytes: this.#pushedBytes, ...reason };
  }

  /** Watches the largest of these processes, and pushes up to `bytes` of it out; 0 or less: only watches. */
  async push(pids: readonly number[], bytes: number): Promise<void> {
    const damon = this.#damon;
    const pid = processToWatch(this.#watched, new Map(pids.map((one) => [one, residentBytes(one)])));
    if (damon === undefined || pid === undefined) return;
    await this.#attempt(async () => {
      await this.#watch(damon, pid);
      if (bytes <= 0) return;
      const idle = await residentRanges(pid, await damon.idleRanges());
      this.#pushedBytes += await pageOut(pid, pickIdle(idle, bytes, this.#coolingMs));
    });
  }

  async #watch(damon: Damon, pid: number): Promise<void> {
    const nowMs = performance.now();
    const isUpToDate = nowMs - this.#updatedMs < watchIntervals(this.#coolingMs).updateMs;
    if (pid === this.#watched && isUpToDate) return;
    await damon.watch(pid, areasToWatch(privateAreas(pid)));
    this.#watched = pid;
    this.#updatedMs = nowMs;
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#reason = undefined;
    } catch (error) {
      this.#reason = toExopoolError(error).message;
    }
  }
}
