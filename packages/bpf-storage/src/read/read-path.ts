/**
 * Reads: each key comes from the nearest tier that has it.
 *
 *   memory (see StoreIndex) -> remote tier -> tables        a value found on the right is admitted on the left
 *
 * A read of a value in memory is answered at once. Without a tier the index does the rest too: the calls of one turn
 * cross into native code together, and each returns as soon as its own key is found, because the slowest read of a device
 * takes ten times as long as most. With a tier the calls of one turn make one batch, because a tier is asked over the
 * network.
 *
 * Memory and `mayHold` of the tier are asked once a key. The epoch of a key is taken in the turn in which memory did not
 * have it; it tells later whether the key was written since. A value that may be old is returned to its caller, whose
 * read overlapped the write, but is admitted nowhere.
 */
import { notInMemory, type StoreIndex } from '@exopool/native/internal';
import { copyToKeep, toRowKey, type Bytes, type RowKey } from '../format/row-key.js';
import type { TierGate } from './tier-gate.js';

/** Where reads were answered. Each key counts once. */
export interface ReadsByTier {
  /** By the memtable, deletions included. */
  readonly memtable: number;
  /** By cached rows and leaf pages, including keys that are known to be absent. */
  readonly memory: number;
  /** By the cache tier. */
  readonly remote: number;
  /** By a table. */
  readonly store: number;
  /** No tier had the key. */
  readonly missing: number;
}

export type ReadIndex = Pick<
  StoreIndex,
  | 'find'
  | 'get'
  | 'getSync'
  | 'getMany'
  | 'lookUpMany'
  | 'epoch'
  | 'admit'
  | 'written'
  | 'writtenAll'
  | 'stats'
>;

/** A key that is not in memory, while it is fetched. */
interface Miss {
  readonly key: RowKey;
  /** The key's epoch at the time of the miss. */
  readonly epoch: number;
  value: Buffer | undefined;
  isFetched: boolean;
}

interface Caller {
  readonly resolve: (value: Buffer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A miss of single gets. */
interface GatheredMiss extends Miss {
  readonly callers: Caller[];
}

/** Reads of one store. */
export class ReadPath {
  #remote = 0;
  /** The misses of this turn, by key. */
  #gathered = new Map<string, GatheredMiss>();

  constructor(
    private readonly index: ReadIndex,
    private readonly gate: TierGate,
  ) {}

  get readsByTier(): ReadsByTier {
    const { memtableHits, rowHits, leafHits, noTable, foundInTable, inNoTable } = this.index.stats();
    return {
      memtable: memtableHits,
      memory: rowHits + leafHits,
      remote: this.#remote,
      store: foundInTable,
      missing: inNoTable + noTable,
    };
  }

  get(key: Bytes): Promise<Buffer | undefined> {
    if (!this.gate.isAttached) return this.index.get(key);
    const found = this.index.find(key);
    if (found !== notInMemory) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      if (this.#gathered.size === 0) queueMicrotask(() => void this.#readGathered());
      const rowKey = toRowKey(key);
      const miss = this.#gathered.get(rowKey.text) ?? { ...this.#missOf(rowKey), callers: [] };
      miss.callers.push({ resolve, reject });
      this.#gathered.set(rowKey.text, miss);
    });
  }

  /** Does not ask the tier. If the key is not in memory, it blocks until the disk answers. */
  getSync(key: Bytes): Buffer | undefined {
    return this.index.getSync(key);
  }

  async getMany(keys: readonly Bytes[]): Promise<(Buffer | undefined)[]> {
    return this.gate.isAttached ? this.#getManyByTier(keys.map(toRowKey)) : this.index.getMany(keys);
  }

  /**
   * To be called in the turn in which `keys` were written to the memtable. Resolves once no cache can return an old value.
   * Never rejects.
   */
  async written(keys: readonly RowKey[]): Promise<void> {
    this.index.written(keys.map(({ bytes }) => bytes));
    await this.gate.invalidate(keys);
  }

  /** To be called in the turn in which any key may have changed, while the tier is paused. */
  writtenAll(): void {
    this.index.writtenAll();
  }

  async #getManyByTier(keys: readonly RowKey[]): Promise<(Buffer | undefined)[]> {
    const found = new Map<string, Buffer | undefined>();
    const misses = new Map<string, Miss>();
    for (const key of keys) {
      if (found.has(key.text) || misses.has(key.text)) continue;
      const value = this.index.find(key.bytes);
      if (value === notInMemory) misses.set(key.text, this.#missOf(key));
      else found.set(key.text, value);
    }
    const [held, others] = this.#splitByTier([...misses.values()]);
    await Promise.all([this.#fetchFromTier(held), this.#fetchFromTables(others)]);
    for (const [text, { value }] of misses) found.set(text, value);
    const given = new Set<string>();
    return keys.map(({ text }) => {
      const value = found.get(text);
      if (given.has(text)) return value && Buffer.from(value);
      given.add(text);
      return value;
    });
  }

  /** To be called in the turn in which memory did not have `key`. */
  #missOf(key: RowKey): Miss {
    return { key, epoch: this.index.epoch(key.bytes), value: undefined, isFetched: false };
  }

  /** Those that the tier may hold, and the others. */
  #splitByTier<M extends Miss>(misses: readonly M[]): [held: M[], others: M[]] {
    const held: M[] = [];
    const others: M[] = [];
    for (const miss of misses) (this.gate.mayHold(miss.key) ? held : others).push(miss);
    return [held, others];
  }

  /** A key that the tier does not hold need not wait for the answers to those that it does. */
  async #readGathered(): Promise<void> {
    const [held, others] = this.#splitByTier([...this.#gathered.values()]);
    this.#gathered = new Map();
    await Promise.all([
      this.#answer(held, this.#fetchFromTier(held)),
      this.#answer(others, this.#fetchFromTables(others)),
    ]);
  }

  /** Answers the callers once `fetch` has ended. A damaged page fails only the reads that need it. */
  async #answer(misses: readonly GatheredMiss[], fetch: Promise<void>): Promise<void> {
    try {
      await fetch;
    } catch (error) {
      if (misses.length === 1) {
        for (const { reject } of misses[0]!.callers) reject(error);
        return;
      }
      for (const miss of misses)
        await this.#answer([miss], miss.isFetched ? Promise.resolve() : this.#fetchFromTables([miss]));
      return;
    }
    for (const { value, callers } of misses) {
      for (const [index, { resolve }] of callers.entries())
        resolve(index === 0 ? value : value && Buffer.from(value));
    }
  }

  /** Fetches from the tier, and what it lacks from the tables. */
  async #fetchFromTier(misses: readonly Miss[]): Promise<void> {
    if (misses.length === 0) return;
    const found = await this.gate.getMany(misses.map(({ key }) => key));
    const missed: Miss[] = [];
    for (const [index, miss] of misses.entries()) {
      const value = found[index];
      if (value === undefined) missed.push(miss);
      else this.#take(miss, value);
    }
    this.#remote += misses.length - missed.length;
    await this.#fetchFromTables(missed);
  }

  /** Fetches from the tables, and offers to the tier what was found there. */
  async #fetchFromTables(misses: readonly Miss[]): Promise<void> {
    if (misses.length === 0) return;
    const found = await this.index.lookUpMany(misses.map(({ key }) => key.bytes));
    const toTier: (readonly [RowKey, Buffer])[] = [];
    for (const [index, miss] of misses.entries()) {
      const value = found[index];
      if (this.#take(miss, value) && value !== undefined) toTier.push([miss.key, copyToKeep(value)]);
    }
    this.gate.admit(toTier);
  }

  /** The value goes to memory, unless the key was written meanwhile. @returns whether it did. */
  #take(miss: Miss, value: Buffer | undefined): boolean {
    miss.value = value;
    miss.isFetched = true;
    return this.index.admit(miss.key.bytes, miss.epoch, value);
  }
}
