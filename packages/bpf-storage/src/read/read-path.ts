/**
 * How a key is read: from the nearest tier that has it.
 *
 *   memory (see StoreIndex) -> remote tier -> tables        what comes from the right is admitted to the left of it
 *
 * What is in memory is answered at once. Without a tier the index does the rest as well: the calls of one turn cross
 * into native code together, and each returns as soon as its own key is found, as the slowest read of a device takes
 * ten times as long as most. With a tier they make one batch, as it wants its keys together.
 *
 * Between the look into memory and the start of the fetch nothing else runs; from then on the index's epochs tell
 * whether the key was written, and a value that may be old is returned to its caller, whose read overlapped the
 * write, but admitted nowhere.
 */
import { notInMemory, type StoreIndex } from '@exopool/native/internal';
import { copyToKeep, toRowKey, type Bytes, type RowKey } from '../format/row-key.js';
import type { TierGate } from './tier-gate.js';

/** Where reads were answered, counted a key. */
export interface ReadsByTier {
  /** Unflushed writes, deletions too. */
  readonly memtable: number;
  /** Cached rows and leaf pages, keys known to be absent too. */
  readonly memory: number;
  /** The cache tier. */
  readonly remote: number;
  /** A table. */
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

interface Waiting {
  readonly key: RowKey;
  readonly resolve: (value: Buffer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class ReadPath {
  #remote = 0;
  #gathered: Waiting[] = [];

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
      this.#gathered.push({ key: toRowKey(key), resolve, reject });
      if (this.#gathered.length === 1) queueMicrotask(() => void this.#readGathered());
    });
  }

  /** Past the tier; waits for the disk when the key is not in memory. */
  getSync(key: Bytes): Buffer | undefined {
    return this.index.getSync(key);
  }

  async getMany(keys: readonly Bytes[]): Promise<(Buffer | undefined)[]> {
    return this.gate.isAttached ? this.#getManyByTier(keys.map(toRowKey)) : this.index.getMany(keys);
  }

  /**
   * To be called in the turn in which `keys` were written to the memtable. Resolves once no cache can return what they
   * held before. Never rejects.
   */
  async written(keys: readonly RowKey[]): Promise<void> {
    this.index.written(keys.map(({ bytes }) => bytes));
    await this.gate.invalidate(keys);
  }

  /** To be called in the turn in which any key may have got another value, with the tier paused. */
  writtenAll(): void {
    this.index.writtenAll();
  }

  async #getManyByTier(keys: readonly RowKey[]): Promise<(Buffer | undefined)[]> {
    const values = keys.map(({ bytes }) => this.index.find(bytes));
    const missed = new Map<string, number[]>();
    for (const [index, key] of keys.entries()) {
      if (values[index] === notInMemory) missed.set(key.text, [...(missed.get(key.text) ?? []), index]);
    }
    const positions = [...missed.values()];
    const fetched = await this.#fetch(positions.map(([first]) => keys[first!]!));
    for (const [position, [first, ...repeated]] of positions.entries()) {
      const value = fetched[position];
      values[first!] = value;
      for (const index of repeated) values[index] = value && Buffer.from(value);
    }
    return values as (Buffer | undefined)[];
  }

  /** A key that the tier does not hold need not wait for the answers to those that it does. */
  async #readGathered(): Promise<void> {
    const held: Waiting[] = [];
    const others: Waiting[] = [];
    for (const waiting of this.#gathered) (this.gate.mayHold(waiting.key) ? held : others).push(waiting);
    this.#gathered = [];
    await Promise.all([this.#readGroup(held), this.#readGroup(others)]);
  }

  async #readGroup(group: readonly Waiting[]): Promise<void> {
    if (group.length === 0) return;
    try {
      const values = await this.#getManyByTier(group.map(({ key }) => key));
      for (const [index, { resolve }] of group.entries()) resolve(values[index]);
    } catch (error) {
      if (group.length === 1) group[0]!.reject(error);
      else await this.#readOneByOne(group);
    }
  }

  /** After a batch that failed: a damaged page must fail only the reads that need it. */
  async #readOneByOne(group: readonly Waiting[]): Promise<void> {
    for (const { key, resolve, reject } of group) {
      await this.#getManyByTier([key]).then(([value]) => resolve(value), reject);
    }
  }

  /** Distinct keys that are not in memory, from the tier or else the tables. */
  async #fetch(keys: readonly RowKey[]): Promise<(Buffer | undefined)[]> {
    const epochs = keys.map(({ bytes }) => this.index.epoch(bytes));
    const values = new Array<Buffer | undefined>(keys.length).fill(undefined);
    const isHeld = keys.map((key) => this.gate.mayHold(key));
    const held = indexesOf(isHeld, Boolean);
    const notHeld = indexesOf(isHeld, (is) => !is);
    const [missed] = await Promise.all([
      this.#askTier(keys, values, held).then(async (missing) => {
        await this.#lookUp(keys, values, missing);
        return missing;
      }),
      this.#lookUp(keys, values, notHeld),
    ]);
    this.#admit(keys, values, epochs, new Set([...missed, ...notHeld]));
    return values;
  }

  /** What was fetched and not written meanwhile goes to memory; what came from the tables, to the tier too. */
  #admit(
    keys: readonly RowKey[],
    values: readonly (Buffer | undefined)[],
    epochs: readonly number[],
    fromTables: ReadonlySet<number>,
  ): void {
    const toTier: (readonly [RowKey, Buffer])[] = [];
    for (const [index, key] of keys.entries()) {
      const value = values[index];
      const isNew = this.index.admit(key.bytes, epochs[index]!, value);
      if (isNew && value !== undefined && fromTables.has(index)) toTier.push([key, copyToKeep(value)]);
    }
    this.gate.admit(toTier);
  }

  /** Fills in the values at `indexes` that the tier has; returns the indexes of the others. */
  async #askTier(
    keys: readonly RowKey[],
    values: (Buffer | undefined)[],
    indexes: readonly number[],
  ): Promise<number[]> {
    if (indexes.length === 0) return [];
    const found = await this.gate.getMany(indexes.map((index) => keys[index]!));
    for (const [position, index] of indexes.entries()) values[index] = found[position];
    const missed = indexes.filter((index) => values[index] === undefined);
    this.#remote += indexes.length - missed.length;
    return missed;
  }

  /** Fills in the values at `indexes` from the tables. */
  async #lookUp(
    keys: readonly RowKey[],
    values: (Buffer | undefined)[],
    indexes: readonly number[],
  ): Promise<void> {
    if (indexes.length === 0) return;
    const found = await this.index.lookUpMany(indexes.map((index) => keys[index]!.bytes));
    for (const [position, index] of indexes.entries()) values[index] = found[position];
  }
}

function indexesOf<T>(values: readonly T[], matches: (value: T) => boolean): number[] {
  return [...values.keys()].filter((index) => matches(values[index]!));
}
