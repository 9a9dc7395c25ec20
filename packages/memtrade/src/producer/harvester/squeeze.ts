/**
 * Holds an application to the limit that the policy decided. It pushes out the excess in the background, and lifts the
 * limit at once after a drop.
 *
 *   idle ranges first (with an aim) ─▶ the limit, in slices ─▶ notes the pages that went: the newest come back first
 *
 * Pushing out may take long, since it runs at idle priority. Epochs go on meanwhile, so a drop is noticed.
 */
import { type MachineJournal, type MemoryCgroup } from '@exopool/native';
import { cgroupProcesses, SwappedPages } from '@exopool/native/internal';
import type { Aim } from './aim.js';

export interface SqueezeOptions {
  readonly cgroup: MemoryCgroup;
  readonly journal: MachineJournal;
  /** The kernel's limit is higher than the usage after pushing out, by so much. */
  readonly headroomBytes: number;
  /** `undefined`: the kernel alone chooses the pages. */
  readonly aim: Aim | undefined;
}

export class Squeeze {
  readonly #options: SqueezeOptions;
  readonly #pages = new SwappedPages();
  /** The limit that was decided last, and the usage that was reached last; `undefined`: no limit. */
  #wantedBytes: number | undefined;
  #reachedBytes: number | undefined;
  #work: Promise<void> | undefined;

  constructor(options: SqueezeOptions) {
    this.#options = options;
  }

  /** True while pages are being pushed out or brought back. */
  get isBusy(): boolean {
    return this.#work !== undefined;
  }

  /** Removes the limit and stops pushing out. */
  lift(): void {
    this.#wantedBytes = undefined;
    this.#reachedBytes = undefined;
    this.#goesOn(this.#options.cgroup.setLimit(this.#options.journal, undefined));
  }

  /**
   * Pushes out the usage above the limit, unless it is busy already.
   * @param limitBytes `undefined` without a limit; an aim then only learns which memory is idle.
   * @param onReached called with the usage that was reached, when that is above a new limit.
   */
  hold(limitBytes: number | undefined, usageBytes: number, onReached: (bytes: number) => void): void {
    if (this.isBusy) return;
    this.#wantedBytes = limitBytes;
    // Pages that came back are pushed out here. Otherwise the application would do it, each time it waits for a page.
    if (limitBytes !== undefined && (limitBytes !== this.#reachedBytes || usageBytes > limitBytes))
      this.#goesOn(this.#pushOut(limitBytes, usageBytes, onReached));
    else if (this.#options.aim !== undefined) this.#goesOn(this.#options.aim.push(this.#pids, 0));
  }

  /** Brings back the pages that went last. @returns the bytes that it asked for; 0 when the kernel cannot do it. */
  async prefetch(bytes: number): Promise<number> {
    // An application that grew under its limit pushed out pages by itself.
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
    // A drop happened meanwhile.
    if (this.#wantedBytes !== limitBytes) return;
    const reached = await cgroup.setLimit(journal, limitBytes, headroomBytes);
    if (!isStep || reached === undefined) return;
    this.#reachedBytes = reached;
    if (reached !== limitBytes) onReached(reached);
    // After each step: pages that are out now and were not before went with it.
    await this.#observe();
  }

  /** Pages that cannot be observed are not prefetched: the kernel lacks the call, or their process just ended. */
  async #observe(): Promise<void> {
    await this.#pages.observe(this.#pids).catch(() => 0);
  }

  get #pids(): number[] {
    return cgroupProcesses(this.#options.cgroup.path);
  }

  /** Runs beside earlier work. Failures are ignored: a removed cgroup ends the loop at its next sample. */
  #goesOn(work: Promise<unknown>): void {
    const all = Promise.allSettled([this.#work, work]).then(() => {
      if (this.#work === all) this.#work = undefined;
    });
    this.#work = all;
  }
}
