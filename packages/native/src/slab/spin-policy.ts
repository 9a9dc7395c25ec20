/**
 * Whether a call should wait for its answer on JavaScript's thread.
 *
 * It pays when calls come one after the other: each was made after the one before had been answered, and nothing else
 * was under way. It must not hold up anything: many calls of one turn belong into one batch, and an event loop that
 * only ever runs microtasks never gets to its timers and sockets.
 */

/** Calls one after the other, until it is believed that more follow. */
const inRowMin = 4;
/** Others wait for so long at most. */
const streakMsMax = 1;
/** Below this share of answers in time waiting is left out... */
const successMin = 0.2;
/** ...and the weight of the last one in it. */
const learning = 0.25;
/** Calls after which it is tried all the same. */
const tryEvery = 64;

export class SpinPolicy {
  readonly microseconds: number;
  #inRow = 0;
  #success = 1;
  #skipped = 0;
  #streakStartMs: number | undefined;
  /** Its caller has not had the time to look at the last answer: what comes now was not waiting for it. */
  #fresh = false;

  constructor(microseconds: number) {
    this.microseconds = microseconds;
  }

  /** @returns whether to wait for this call's answer; `end` must be called then. `alone`: nothing else is under way. */
  begin(alone: boolean): boolean {
    this.#inRow = alone && !this.#fresh ? this.#inRow + 1 : 0;
    if (this.microseconds === 0 || this.#inRow < inRowMin) return false;
    if (this.#success < successMin && ++this.#skipped % tryEvery !== 0) return false;
    return this.#hasTime();
  }

  end(inTime: boolean): void {
    this.#success += learning * ((inTime ? 1 : 0) - this.#success);
    if (!inTime) return;
    this.#fresh = true;
    queueMicrotask(() => (this.#fresh = false));
  }

  /** Answers came, and ended so many calls. */
  delivered(calls: number): void {
    if (calls > 1) this.#inRow = 0;
  }

  #hasTime(): boolean {
    const nowMs = performance.now();
    if (this.#streakStartMs === undefined) {
      this.#streakStartMs = nowMs;
      setImmediate(() => (this.#streakStartMs = undefined));
    }
    return nowMs - this.#streakStartMs < streakMsMax;
  }
}
