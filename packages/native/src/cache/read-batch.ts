/**
 * The gets of one turn of the event loop, which go to the sealed cache together.
 *
 *   get      -> a taker that resolves its promise
 *   getMany  -> one taker for several keys, which resolves with the last answer
 *
 * A key allocates no more than its place in two arrays. That counts at hundreds of thousands of gets a second.
 */
type Taker = ((value: Buffer | undefined) => void) | ManyTaker;

class ManyTaker {
  #left: number;

  constructor(
    /** Index of its first key in the batch. */
    readonly first: number,
    readonly values: (Buffer | undefined)[],
    readonly resolve: (values: (Buffer | undefined)[]) => void,
  ) {
    this.#left = values.length;
  }

  /** @returns whether that was the last answer. */
  take(index: number, value: Buffer | undefined): boolean {
    this.values[index - this.first] = value;
    if (--this.#left > 0) return false;
    this.resolve(this.values);
    return true;
  }
}

/**
 * Keys that cross together, and the promises for their answers.
 * @example
 * ```ts
 * const batch = new ReadBatch();
 * const value = batch.add(Buffer.from('key'));
 * batch.settle(0, Buffer.from('value'));
 * console.log(await value);
 * ```
 */
export class ReadBatch {
  readonly keys: Buffer[] = [];
  readonly #takers: Taker[] = [];
  #left = 0;

  /** Keys without an answer. */
  get left(): number {
    return this.#left;
  }

  /** Adds a key. */
  add(key: Buffer): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      this.keys.push(key);
      this.#takers.push(resolve);
      this.#left++;
    });
  }

  /** Adds keys, at least one. */
  addMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return new Promise((resolve) => {
      const values = new Array<Buffer | undefined>(keys.length);
      const taker = new ManyTaker(this.keys.length, values, resolve);
      for (const key of keys) {
        this.keys.push(key);
        this.#takers.push(taker);
      }
      this.#left += keys.length;
    });
  }

  /** Answers the key at `index`. @returns how many calls that ended: one or none. */
  settle(index: number, value: Buffer | undefined): number {
    this.#left--;
    const taker = this.#takers[index]!;
    if (typeof taker !== 'function') return taker.take(index, value) ? 1 : 0;
    taker(value);
    return 1;
  }
}
