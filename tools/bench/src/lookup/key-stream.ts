/**
 * The keys that a workload asks for, made before they are needed so that making them is not measured: a chunk at a time
 * where few are read in a window, or once, and then over and over, where millions are.
 */
import { seededRandom, type Random } from '@exopool/demo/random';
import { zipfRank } from '@exopool/demo/zipf';
import { keyOf } from './records.js';

export type Distribution = 'uniform' | 'zipf' | 'absent';

/** Keys made at once: some milliseconds of work, and a few megabytes of a contender's memory. */
export const chunkKeys = 16_384;
/** Keys that are repeated when all data is in memory: far more values than a processor's cache holds. */
export const repeatedKeys = 262_144;

export interface AskedKey<Key> {
  readonly key: Key;
  readonly index: number;
}

export class KeyStream<Key> {
  readonly #draw: () => number;
  readonly #keys: Key[];
  readonly #indexes: Uint32Array;
  #next: number;

  constructor(
    private readonly toKey: (bytes: Buffer) => Key,
    draw: () => number,
    private readonly repeats: boolean,
  ) {
    const count = repeats ? repeatedKeys : chunkKeys;
    this.#draw = draw;
    this.#keys = Array.from<Key>({ length: count });
    this.#indexes = new Uint32Array(count);
    this.#next = 0;
    this.#fill();
  }

  /** Moves on. @returns the place of the next key, for {@link key} and {@link index}. */
  advance(): number {
    if (this.#next === this.#keys.length) {
      if (!this.repeats) this.#fill();
      this.#next = 0;
    }
    return this.#next++;
  }

  key(place: number): Key {
    return this.#keys[place]!;
  }

  index(place: number): number {
    return this.#indexes[place]!;
  }

  next(): AskedKey<Key> {
    const place = this.advance();
    return { key: this.key(place), index: this.index(place) };
  }

  #fill(): void {
    for (let place = 0; place < this.#keys.length; place += 1) {
      const index = this.#draw();
      this.#indexes[place] = index;
      this.#keys[place] = this.toKey(keyOf(index));
    }
  }
}

/** Draws record numbers; those of `absent` are of no record. Popular records are the same for every seed. */
export class Draws {
  readonly #random: Random;
  #zipf: (() => number) | undefined;

  constructor(
    private readonly count: number,
    seed: number,
  ) {
    this.#random = seededRandom(seed);
  }

  of(distribution: Distribution): () => number {
    if (distribution === 'zipf') return (this.#zipf ??= zipfRank(this.count, this.#random));
    const offset = distribution === 'absent' ? this.count : 0;
    return () => offset + Math.floor(this.#random() * this.count);
  }
}
