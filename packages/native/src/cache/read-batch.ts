/**
 * Gets of one turn of the event loop, on their way to the sealed cache together.
 *
 *   get      -> a taker that resolves its promise
 *   getMany  -> one taker for several keys, which resolves when the last has come
 *
 * Nothing is allocated for a key beyond its place in two arrays: at hundreds of thousands of gets a second that counts.
 */
type Taker = ((value: Buffer | undefined) => void) | ManyTaker;

class ManyTaker {
  #left: number;

  constructor(
    /** Where its keys begin in the batch. */
    readonly first: number,
    readonly values: (Buffer | undefined)[],
    readonly resolve: (values: (Buffer | undefined)[]) => void,
  ) {
    this.#left = values.length;
  }

  /** @returns whether that was the last. */
  take(index: number, value: Buffer | undefined): boolean {
    this.values[index - this.first] = value;
    if (--this.#left > 0) return false;
    this.resolve(this.values);
    return true;
  }
}

export class ReadBatch {
  readonly keys: Buffer[] = [];
  readonly #takers: Taker[] = [];
  #left = 0;

  /** Keys without an answer. */
  get left(): number {
    return this.#left;
  }

  add(key: Buffer): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      this.keys.push(key);
      this.#takers.push(resolve);
      this.#left++;
    });
  }

  /** At least one key. */
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

  /** @returns how many calls are over by it: one or none. */
  settle(index: number, value: Buffer | undefined): number {
    this.#left--;
    const taker = this.#takers[index]!;
    if (typeof taker !== 'function') return taker.take(index, value) ? 1 : 0;
    taker(value);
    return 1;
  }
}
