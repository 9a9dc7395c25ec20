/**
 * The values of a time window, for percentiles. A sample costs O(log n), and so does a percentile.
 *
 *   arrivals   (t0, 3) (t1, 1) (t2, 2)    a ring, oldest first: the next to expire
 *   ranked     1  2  3                    an order-statistics tree: percentile(p) finds by rank
 */
import { RankedValues } from './ranked-values.js';

/** With more points the oldest expire early. Enough for a day of ten samples a second; at most 45 MiB. */
const pointsMax = 1_000_000;
const ringAtStart = 64;

export class SortedWindow {
  readonly #windowMs: number;
  readonly #pointsMax: number;
  readonly #ranked = new RankedValues();
  #atMs = new Float64Array(ringAtStart);
  #values = new Float64Array(ringAtStart);
  #first = 0;
  #count = 0;

  constructor(windowMs: number, limit = pointsMax) {
    this.#windowMs = windowMs;
    this.#pointsMax = limit;
  }

  get size(): number {
    return this.#count;
  }

  /** @param value not NaN. @param atMs not before the last one's. */
  add(atMs: number, value: number): void {
    if (this.#count === this.#pointsMax) this.#dropOldest();
    if (this.#count === this.#values.length) this.#grow();
    const slot = (this.#first + this.#count) % this.#values.length;
    this.#atMs[slot] = atMs;
    this.#values[slot] = value;
    this.#count += 1;
    this.#ranked.add(value);
  }

  /** Drops the values that are older than the window. */
  expire(nowMs: number): void {
    while (this.#count > 0 && this.#atMs[this.#first]! <= nowMs - this.#windowMs) this.#dropOldest();
  }

  clear(): void {
    this.#count = 0;
    this.#ranked.clear();
  }

  /** The smallest value such that at least `share` (0..1) of all values are not larger; `undefined` without values. */
  percentile(share: number): number | undefined {
    return this.#ranked.at(Math.max(0, Math.ceil(share * this.#count) - 1));
  }

  #dropOldest(): void {
    this.#ranked.remove(this.#values[this.#first]!);
    this.#first = (this.#first + 1) % this.#values.length;
    this.#count -= 1;
  }

  #grow(): void {
    const longer = (ring: Float64Array): Float64Array<ArrayBuffer> => {
      const array = new Float64Array(ring.length * 2);
      array.set(ring.subarray(this.#first));
      array.set(ring.subarray(0, this.#first), ring.length - this.#first);
      return array;
    };
    [this.#atMs, this.#values] = [longer(this.#atMs), longer(this.#values)];
    this.#first = 0;
  }
}
