/**
 * Keeps second copies of hot values with other producers, so that the loss of a producer costs fewer misses.
 *
 *   get  -> first -- one in some hundred, if a hit --> copied to second
 *             `-- a miss --> second, if it has the key --> put back into first
 *   put, delete -> away from second, then first
 *
 * Gets are sampled at random, so hot values are copied without counting. The second tier evicts values that were copied
 * by chance first. A copy is made only when its key was not written since the read began.
 */
import type { CacheTier, CacheTierStats } from '@exopool/shared';

/** One of so many gets is copied: often enough for hot values, rarely enough to cost little. */
const getsPerCopy = 128;

/** A tier that knows locally whether it may hold a key. */
type LocalTier = CacheTier & Required<Pick<CacheTier, 'mayHold'>>;

export interface SecondCopyStats {
  /** Values with a second copy. */
  readonly copies: number;
  /** Misses of the first tier that became hits of the second one. */
  readonly rescued: number;
}

export class SecondCopyTier implements CacheTier {
  readonly #first: LocalTier;
  readonly #second: LocalTier;
  /** Keys whose value is being copied between the tiers; a write removes its key. */
  readonly #underWay = new Map<string, symbol>();
  #getsUntilCopy = getsPerCopy;
  #rescued = 0;

  constructor(first: LocalTier, second: LocalTier) {
    this.#first = first;
    this.#second = second;
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    const finish = this.#drawCopy(keys);
    const values = await this.#first.getMany(keys);
    finish(values);
    const missed = keys.flatMap((key, index) =>
      values[index] === undefined && this.#second.mayHold(key) ? [index] : [],
    );
    if (missed.length > 0) await this.#rescue(keys, values, missed);
    return values;
  }

  mayHold(key: Buffer): boolean {
    return this.#first.mayHold(key) || this.#second.mayHold(key);
  }

  async putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    const removed = this.#forget(entries.map(([key]) => key));
    const stored = this.#first.putMany(entries);
    await removed;
    await stored;
  }

  async deleteMany(keys: readonly Buffer[]): Promise<void> {
    const removed = this.#forget(keys);
    await this.#first.deleteMany(keys);
    await removed;
  }

  /** Counts a rescued get as a hit. Sizes are those of the first tier. */
  stats(): CacheTierStats {
    const first = this.#first.stats();
    const { tampered } = this.#second.stats();
    const [hits, misses] = [first.hits + this.#rescued, first.misses - this.#rescued];
    return { ...first, hits, misses, tampered: first.tampered + tampered };
  }

  copyStats(): SecondCopyStats {
    return { copies: this.#second.stats().entries, rescued: this.#rescued };
  }

  /** Call it before a read. @returns a function to call with the values that were read. */
  #drawCopy(keys: readonly Buffer[]): (values: readonly (Buffer | undefined)[]) => void {
    this.#getsUntilCopy -= keys.length;
    if (this.#getsUntilCopy > 0) return () => undefined;
    this.#getsUntilCopy = getsPerCopy;
    if (this.#second.stats().capacityBytes === 0) return () => undefined;
    const index = Math.floor(Math.random() * keys.length);
    const key = keys[index];
    if (key === undefined || this.#second.mayHold(key)) return () => undefined;
    const move = this.#begin(key);
    return (values) => move(values[index], this.#second);
  }

  async #rescue(
    keys: readonly Buffer[],
    values: (Buffer | undefined)[],
    missed: readonly number[],
  ): Promise<void> {
    const moves = missed.map((index) => this.#begin(keys[index]!));
    const copies = await this.#second.getMany(missed.map((index) => keys[index]!));
    missed.forEach((index, at) => {
      values[index] = copies[at];
      if (copies[at] !== undefined) this.#rescued += 1;
      moves[at]!(copies[at], this.#first);
    });
  }

  /** Begins to copy a key's value. @returns a function that ends it; it stores nothing if the key was written meanwhile. */
  #begin(key: Buffer): (value: Buffer | undefined, into: CacheTier) => void {
    const [id, token, own] = [key.toString('latin1'), Symbol('move'), Buffer.from(key)];
    this.#underWay.set(id, token);
    return (value, into) => {
      if (this.#underWay.get(id) !== token) return;
      this.#underWay.delete(id);
      // A put takes effect at once, so a later write replaces it.
      if (value !== undefined) void into.putMany([[own, value]]);
    };
  }

  #forget(keys: readonly Buffer[]): Promise<void> {
    if (this.#underWay.size > 0) for (const key of keys) this.#underWay.delete(key.toString('latin1'));
    return this.#second.deleteMany(keys);
  }
}

/** The slabs of each producer in one tier. */
export type SlabsByProducer = ReadonlyMap<string, number>;

/**
 * Chooses the tier for a producer's slabs. A producer serves only one tier, since its loss must not take both copies. The
 * second tier gets at most `share` of all slabs.
 */
export function sideOf(
  producer: string,
  slabs: number,
  { first, second }: { readonly first: SlabsByProducer; readonly second: SlabsByProducer },
  share: number,
): 'first' | 'second' {
  if (first.has(producer)) return 'first';
  if (second.has(producer)) return 'second';
  const sum = (held: SlabsByProducer): number => [...held.values()].reduce((total, some) => total + some, 0);
  const wanted = sum(second) + slabs;
  return wanted <= share * (sum(first) + wanted) ? 'second' : 'first';
}
