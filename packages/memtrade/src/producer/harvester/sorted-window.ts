/**
 * The values of the last so many milliseconds, in order of size, for percentiles.
 *
 *   arrivals   (t0, 3) (t1, 1) (t2, 2)    oldest first: what expires next
 *   sorted     1  2  3                    percentile(p) is one look
 *
 * Adding and expiring find their place by bisection and move the rest: for a window of six hours of seconds that is
 * a memmove of at most 170 KB a second.
 */

/** Above this the oldest go early: a day of one-second epochs and some more. */
const pointsMax = 100_000;

export class SortedWindow {
  readonly #windowMs: number;
  #arrivals: { readonly atMs: number; readonly value: number }[] = [];
  #sorted: number[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  get size(): number {
    return this.#sorted.length;
  }

  /** @param value not NaN. */
  add(atMs: number, value: number): void {
    this.#arrivals.push({ atMs, value });
    this.#sorted.splice(this.#positionOf(value), 0, value);
    if (this.#arrivals.length > pointsMax) this.#dropOldest(1);
  }

  /** Forgets what is older than the window. */
  expire(nowMs: number): void {
    const isYoung = (arrival: { readonly atMs: number }): boolean => arrival.atMs > nowMs - this.#windowMs;
    const firstYoung = this.#arrivals.findIndex(isYoung);
    this.#dropOldest(firstYoung === -1 ? this.#arrivals.length : firstYoung);
  }

  clear(): void {
    this.#arrivals = [];
    this.#sorted = [];
  }

  /** The smallest value that at least `share` (0..1) of all are not above; `undefined` without values. */
  percentile(share: number): number | undefined {
    return this.#sorted[Math.max(0, Math.ceil(share * this.#sorted.length) - 1)];
  }

  #dropOldest(count: number): void {
    for (const { value } of this.#arrivals.splice(0, count)) this.#sorted.splice(this.#positionOf(value), 1);
  }

  /** Index of the first value that is not below `value`. */
  #positionOf(value: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
