/**
 * Aims a step at idle memory: pushes out the ranges that DAMON found idle, before a limit lets the kernel choose. The
 * limit does the rest: where the machine has no DAMON, for other processes of the application, and for ranges that have
 * not been idle for long enough.
 */
import { Damon, pageOut, residentRanges, type MachineJournal } from '@exopool/native';
import { privateAreas, residentBytes } from '@exopool/native/internal';
import { toExopoolError } from '@exopool/shared';
import { areasToWatch, pickIdle, processToWatch, watchIntervals } from './aim-policy.js';

/** The pages that a step pushes out: those that the kernel chooses, or first those that DAMON found idle. */
export const victimChoices = ['squeeze', 'idle'] as const;
export type VictimChoice = (typeof victimChoices)[number];

export interface AimStatus {
  /** Idle memory pushed out since the start. */
  readonly pushedBytes: number;
  /** Why no idle memory is found now, and what would help. */
  readonly reason?: string;
}

/** DAMON's least number of regions: with more of them it tells smaller ranges apart. */
const regionsMin = 100;
/** DAMON's largest number of regions: each costs a look at one page a sample. */
const regionsMax = 1000;

export class Aim {
  readonly #coolingMs: number;
  #damon: Damon | undefined;
  #watched: number | undefined;
  #updatedMs = -Infinity;
  #pushedBytes = 0;
  #reason: string | undefined;

  /** Never fails: without DAMON {@link status} has the reason, and nothing is pushed out. The journal undoes it. */
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

  /** Watches the largest of these processes and pushes out up to `bytes` of it; with 0 or less it only watches. */
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
