/**
 * Measures past leases that could have been made: how far free memory fell below its first value within them.
 *
 *   values   7 6 6 8 5 6      window of 3 steps: the lease made at 8 saw 5 at least: a drop of 3
 *                  ▲   ▲
 *                start now
 */

/** The learned lengths of leases, in steps: 10, 30, 60 and 120 minutes. */
export const learnedSteps = [2, 6, 12, 24] as const;
const longest = learnedSteps[learnedSteps.length - 1]!;

/** The place in {@link learnedSteps} that stands for a lease of any length: the next longer one, or the longest. */
export function lengthClass(leaseSteps: number): number {
  const index = learnedSteps.findIndex((steps) => leaseSteps <= steps);
  return index === -1 ? learnedSteps.length - 1 : index;
}

/** A lease that could have been made, and has just ended. */
export interface PastLease {
  /** Its place in {@link learnedSteps}. */
  readonly lengthClass: number;
  /** Free memory when the lease began, and the least while it lasted. */
  readonly free: number;
  readonly least: number;
  /** The note that {@link DropWindows.push} got when the lease began. */
  readonly note: number;
}

/** The last values of one producer, one a step. */
export class DropWindows {
  readonly #values: number[] = [];
  readonly #notes: number[] = [];

  /**
   * Adds the value of the next step.
   * @param note is kept with the value, such as the volatility at that time
   * @returns a past lease for each length for which there are values enough
   */
  push(value: number, note: number): PastLease[] {
    this.#values.push(value);
    this.#notes.push(note);
    if (this.#values.length > longest + 1) {
      this.#values.shift();
      this.#notes.shift();
    }
    const ended: PastLease[] = [];
    let least = Infinity;
    let seen = 0;
    const last = this.#values.length - 1;
    for (const [index, steps] of learnedSteps.entries()) {
      if (last < steps) break;
      for (; seen < steps; seen += 1) least = Math.min(least, this.#values[last - seen]!);
      const start = last - steps;
      ended.push({ lengthClass: index, free: this.#values[start]!, least, note: this.#notes[start]! });
    }
    return ended;
  }

  /** After a gap nothing is known of the leases that were under way. */
  clear(): void {
    this.#values.length = 0;
    this.#notes.length = 0;
  }
}
