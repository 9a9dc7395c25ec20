/**
 * The keys of a workload, made in advance so that making them is not measured. They are made before each window, or, if
 * millions are read, a few are made once and repeated.
 */
import { seededRandom, type Random } from '@exopool/demo/random';
import { zipfRank } from '@exopool/demo/zipf';
import { keyBytesMax, keyOf } from './records.js';

export type Distribution = 'uniform' | 'zipf' | 'absent';

/** Keys made at once if calls are slow: a few milliseconds of work. */
export const chunkKeys = 16_384;
/** Most keys made at once: packed they use about 10 MB of a contender's memory. */
export const chunkKeysMax = 262_144;
/** Keys that are repeated if all data is in memory: their values exceed a processor's cache by far. */
export const repeatedKeys = 262_144;

export interface AskedKey<Key> {
  readonly key: Key;
  readonly index: number;
}

export interface KeyStreamOptions<Key> {
  /** Converts a key to the contender's form. The contender owns the bytes. */
  toKey(bytes: Buffer): Key;
  draw(): number;
  /** Repeats the same keys, which are converted once. Default false. */
  readonly repeats?: boolean;
  /** Approximate number of keys made before a window. Default {@link chunkKeys}, at most {@link chunkKeysMax}. */
  readonly expected?: number;
}

export class KeyStream<Key> {
  readonly #indexes: Uint32Array;
  /** Keys in one buffer: with hundreds of thousands of objects, the garbage collector would interrupt the window. */
  #packed = Buffer.alloc(0);
  readonly #ends: Uint32Array;
  readonly #repeated: readonly Key[] | undefined;
  #next = 0;

  constructor(private readonly options: KeyStreamOptions<Key>) {
    const { repeats = false, expected = chunkKeys } = options;
    const count = repeats ? repeatedKeys : Math.min(chunkKeysMax, Math.max(chunkKeys, Math.ceil(expected)));
    this.#indexes = new Uint32Array(count);
    this.#ends = new Uint32Array(count);
    this.#fill();
    if (repeats) this.#repeated = Array.from({ length: count }, (_, place) => this.#make(place));
  }

  /** Advances. @returns the place of the next key, for {@link key} and {@link index}. */
  advance(): number {
    if (this.#next === this.#indexes.length) {
      if (this.#repeated === undefined) this.#fill();
      this.#next = 0;
    }
    return this.#next++;
  }

  key(place: number): Key {
    return this.#repeated?.[place] ?? this.#make(place);
  }

  index(place: number): number {
    return this.#indexes[place]!;
  }

  next(): AskedKey<Key> {
    const place = this.advance();
    return { key: this.key(place), index: this.index(place) };
  }

  #make(place: number): Key {
    const start = place === 0 ? 0 : this.#ends[place - 1]!;
    return this.options.toKey(this.#packed.subarray(start, this.#ends[place]));
  }

  #fill(): void {
    // Calls in flight may still use the earlier keys.
    this.#packed = Buffer.allocUnsafeSlow(this.#indexes.length * keyBytesMax);
    let end = 0;
    for (let place = 0; place < this.#indexes.length; place += 1) {
      const index = this.options.draw();
      this.#indexes[place] = index;
      end += keyOf(index).copy(this.#packed, end);
      this.#ends[place] = end;
    }
  }
}

/** Draws record numbers; with `absent`, numbers without a record. Popular records are the same for every seed. */
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
