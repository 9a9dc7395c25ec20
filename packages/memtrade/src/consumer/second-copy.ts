/**
 * A second copy of what is hot, with another producer than the first, so that losing a producer hurts less.
 *
 *   get  -> first -- one in some hundred, if a hit --> copied to second
 *             `-- a miss --> second, if it has the key --> put back into first
 *   put, delete -> away from second, then first
 *
 * What is read often is drawn often: no counts are kept. What is drawn by chance and never read again, the second's own
 * eviction lets go first. A copy is made only when its key was not written since the read that it comes from began.
 */
import type { CacheTier, CacheTierStats } from '@exopool/shared';

/** One get of so many is copied: it costs next to nothing, and what is read often is soon drawn. */
const getsPerCopy = 128;

/** What the copies need of a tier: its local word whether a key is there. */
type LocalTier = CacheTier & Required<Pick<CacheTier, 'mayHold'>>;

export interface SecondCopyStats {
  /** Values that are there twice. */
  readonly copies: number;
  /** Misses of the first tier that the second answered. */
  readonly rescued: number;
}

export class SecondCopyTier implements CacheTier {
  readonly #first: LocalTier;
  readonly #second: LocalTier;
  /** Keys whose value is on its way from one tier to the other, until somebody writes them. */
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

  /** A rescued get is a hit; copies take no part in sizes. */
  stats(): CacheTierStats {
    const first = this.#first.stats();
    const { tampered } = this.#second.stats();
    const [hits, misses] = [first.hits + this.#rescued, first.misses - this.#rescued];
    return { ...first, hits, misses, tampered: first.tampered + tampered };
  }

  copyStats(): SecondCopyStats {
    return { copies: this.#second.stats().entries, rescued: this.#rescued };
  }

  /** To be called before the read. @returns what is to be called with its values. */
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

  /** Begins to move a key's value. @returns what ends it: nothing is put when the key was written meanwhile. */
  #begin(key: Buffer): (value: Buffer | undefined, into: CacheTier) => void {
    const [id, token, own] = [key.toString('latin1'), Symbol('move'), Buffer.from(key)];
    this.#underWay.set(id, token);
    return (value, into) => {
      if (this.#underWay.get(id) !== token) return;
      this.#underWay.delete(id);
      // Its place is decided at once, so a write after it finds it there.
      if (value !== undefined) void into.putMany([[own, value]]);
    };
  }

  #forget(keys: readonly Buffer[]): Promise<void> {
    if (this.#underWay.size > 0) for (const key of keys) this.#underWay.delete(key.toString('latin1'));
    return this.#second.deleteMany(keys);
  }
}

/** Slabs of each producer that are used for one tier. */
export type SlabsByProducer = ReadonlyMap<string, number>;

/**
 * Which tier gets a producer's slabs. A producer is on one side only, or losing it would take both copies; the second
 * side gets at most `share` of all slabs.
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
