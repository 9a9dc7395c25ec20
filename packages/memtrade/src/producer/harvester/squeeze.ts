/**
 * Holds an application to what the policy decided: pushes out what is above it beside the epochs, and lifts the limit at
 * once when there was a drop.
 *
 *   idle ranges first (with an aim) ─▶ the limit, in slices ─▶ which pages went is noted: newest come back first
 *
 * In idle time this may take long. Meanwhile the epochs go on, since bad news must be heard.
 */
import { type MachineJournal, type MemoryCgroup } from '@exopool/native';
import { cgroupProcesses, SwappedPages } from '@exopool/native/internal';
import type { Aim } from './aim.js';

export interface SqueezeOptions {
  readonly cgroup: MemoryCgroup;
  readonly journal: MachineJournal;
  /** The kernel's limit is higher by so much than what was pushed down to. */
  readonly headroomBytes: number;
  /** `undefined`: the kernel alone chooses what goes. */
  readonly aim: Aim | undefined;
}

export class Squeeze {
  readonly #options: SqueezeOptions;
  readonly #pages = new SwappedPages();
  /** What was decided last, and what usage was last pushed down to; `undefined`: no limit. */
  #wantedBytes: number | undefined;
  #reachedBytes: number | undefined;
  #work: Promise<void> | undefined;

  constructor(options: SqueezeOptions) {
    this.#options = options;
  }

  /** What was decided is not done yet. */
  get isBusy(): boolean {
    return this.#work !== undefined;
  }

  /** No limit: ends what is being pushed out. */
  lift(): void {
    this.#wantedBytes = undefined;
    this.#reachedBytes = undefined;
    this.#goesOn(this.#options.cgroup.setLimit(this.#options.journal, undefined));
  }

  /**
   * Pushes out what is above the limit, unless it is busy with that.
   * @param limitBytes `undefined` where there is none: then an aim learns what is idle.
   * @param onReached hears how far a new limit got, when that is less far than asked.
   */
  hold(limitBytes: number | undefined, usageBytes: number, onReached: (bytes: number) => void): void {
    if (this.isBusy) return;
    this.#wantedBytes = limitBytes;
    // What came back since is pushed out here, and not by the application while it waits for a page.
    if (limitBytes !== undefined && (limitBytes !== this.#reachedBytes || usageBytes > limitBytes))
      this.#goesOn(this.#pushOut(limitBytes, usageBytes, onReached));
    else if (this.#options.aim !== undefined) this.#goesOn(this.#options.aim.push(this.#pids, 0));
  }

  /** Brings back what went last, as much of it as is out. @returns bytes that were asked for; 0 where it can't. */
  async prefetch(bytes: number): Promise<number> {
    // An application that grew under its limit pushed out pages without a step of ours.
    await this.#observe();
    return this.#pages.prefetch(bytes).catch(() => 0);
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async #pushOut(limitBytes: number, usageBytes: number, onReached: (bytes: number) => void): Promise<void> {
    const { cgroup, journal, headroomBytes, aim } = this.#options;
    const isStep = limitBytes !== this.#reachedBytes;
    await aim?.push(this.#pids, usageBytes - limitBytes);
    // There was a drop meanwhile.
    if (this.#wantedBytes !== limitBytes) return;
    const reached = await cgroup.setLimit(journal, limitBytes, headroomBytes);
    if (!isStep || reached === undefined) return;
    this.#reachedBytes = reached;
    if (reached !== limitBytes) onReached(reached);
    // Looked at after each step: what is out now and was not before went with it.
    await this.#observe();
  }

  /** What cannot be looked at (the kernel lacks the call, a process just ended) is not brought back early. */
  async #observe(): Promise<void> {
    await this.#pages.observe(this.#pids).catch(() => 0);
  }

  get #pids(): number[] {
    return cgroupProcesses(this.#options.cgroup.path);
  }

  /** A cgroup that is gone ends the loop when it is looked at next. */
  #goesOn(work: Promise<unknown>): void {
    const all = Promise.allSettled([this.#work, work]).then(() => {
      if (this.#work === all) this.#work = undefined;
    });
    this.#work = all;
  }
}
