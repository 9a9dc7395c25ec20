/**
 * Decides whether a call waits for its answer on JavaScript's thread.
 *
 * Waiting pays when calls come one after the other: each was made after the answer of the one before, with nothing else
 * in flight. Waiting must not delay anything else. Many calls of one turn belong into one batch, and an event loop that
 * runs only microtasks never gets to its timers and sockets.
 */

/** Calls in a row after which more are expected. */
const inRowMin = 4;
/** Longest time without a turn of the event loop. */
const streakMsMax = 1;
/** Calls do not wait while the share of answers in time is below this. */
const successMin = 0.2;
/** Weight of the last call in that share. */
const learning = 0.25;
/** One call of this many waits all the same, to learn whether it pays again. */
const tryEvery = 64;

/**
 * The decision for the calls of one client.
 * @example
 * ```ts
 * const policy = new SpinPolicy(200);
 * if (policy.begin(true)) policy.end(sendAndWait(policy.microseconds));
 * ```
 */
export class SpinPolicy {
  readonly microseconds: number;
  #inRow = 0;
  #success = 1;
  #skipped = 0;
  #streakStartMs: number | undefined;
  /** The caller has not seen the last answer yet, so a call now did not wait for it. */
  #fresh = false;

  constructor(microseconds: number) {
    this.microseconds = microseconds;
  }

  /** @param alone nothing else is in flight. @returns whether to wait for this answer; `end` must be called then. */
  begin(alone: boolean): boolean {
    this.#inRow = alone && !this.#fresh ? this.#inRow + 1 : 0;
    if (this.microseconds === 0 || this.#inRow < inRowMin) return false;
    if (this.#success < successMin && ++this.#skipped % tryEvery !== 0) return false;
    return this.#hasTime();
  }

  /** Tells whether the answer came in time. */
  end(inTime: boolean): void {
    this.#success += learning * ((inTime ? 1 : 0) - this.#success);
    if (!inTime) return;
    this.#fresh = true;
    queueMicrotask(() => (this.#fresh = false));
  }

  /** Tells that answers came, and how many calls they ended. */
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
