/**
 * How a key is read: from the nearest tier that has it.
 *
 *   memtable -> row cache -> remote tier -> table        what comes from the right is admitted to the left of it
 *
 * The first two are in memory and answer at once. Keys that they miss are fetched together: one call of the tier,
 * one crossing into the engine. Single `get` calls of the same turn cross together as well, so
 * `Promise.all(keys.map(get))` costs one crossing. Without a tier each of them returns as soon as its own key is
 * found, as the slowest read of a device takes ten times as long as most; with one they make one batch, as a tier
 * wants its keys together.
 *
 * Between the look into the memtable and the start of the fetch nothing else runs; from then on `WriteEpochs` tells
 * whether the key was written, and a value that may be old is returned to its caller, whose read overlapped the
 * write, but admitted nowhere.
 */
import { tombstone, type Tombstone } from './entry.js';
import { absent, type Row, type RowCache } from './row-cache.js';
import { copyToKeep, type RowKey } from './row-key.js';
import type { TierGate } from './tier-gate.js';
import { WriteEpochs, type FetchTicket } from './write-epochs.js';

/** Where reads were answered, counted a key. */
export interface ReadsByTier {
  /** Unflushed writes, deletions too. */
  readonly memtable: number;
  /** The row cache, keys known to be absent too. */
  readonly memory: number;
  /** The cache tier. */
  readonly remote: number;
  /** A table. */
  readonly store: number;
  /** No tier had the key. */
  readonly missing: number;
}

export interface ReadSources {
  unflushed(key: Buffer): Buffer | Tombstone | undefined;
  /** One key; the calls of one turn cross into the engine together, and each is answered when it is found. */
  lookupOne(key: Buffer): Promise<Buffer | undefined>;
  lookup(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>;
}

interface Waiting {
  readonly key: RowKey;
  readonly resolve: (value: Buffer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class ReadPath {
  readonly #counts = { memtable: 0, memory: 0, remote: 0, store: 0, missing: 0 };
  #gathered: Waiting[] = [];

  readonly #epochs = new WriteEpochs();

  constructor(
    private readonly sources: ReadSources,
    private readonly cache: RowCache,
    private readonly gate: TierGate,
  ) {}

  get readsByTier(): ReadsByTier {
    return { ...this.#counts };
  }

  get(key: RowKey): Promise<Buffer | undefined> {
    const local = this.#local(key);
    if (local !== undefined) return Promise.resolve(copyRow(local));
    if (!this.gate.isAttached) return this.#fetchOne(key);
    return new Promise((resolve, reject) => {
      this.#gathered.push({ key, resolve, reject });
      if (this.#gathered.length === 1) queueMicrotask(() => void this.#readGathered());
    });
  }

  async getMany(keys: readonly RowKey[]): Promise<(Buffer | undefined)[]> {
    const values = new Array<Buffer | undefined>(keys.length).fill(undefined);
    const missed = new Map<string, number[]>();
    for (const [index, key] of keys.entries()) {
      const local = this.#local(key);
      if (local !== undefined) values[index] = copyRow(local);
      else missed.set(key.text, [...(missed.get(key.text) ?? []), index]);
    }
    if (missed.size === 0) return values;
    const positions = [...missed.values()];
    const fetched = await this.#fetch(positions.map(([first]) => keys[first!]!));
    for (const [position, [first, ...repeated]] of positions.entries()) {
      const value = fetched[position];
      values[first!] = value;
      for (const index of repeated) values[index] = value && Buffer.from(value);
    }
    return values;
  }

  /**
   * To be called in the turn in which `keys` were written to the memtable. Resolves once no cache can return what they
   * held before. Never rejects.
   */
  async written(keys: readonly RowKey[]): Promise<void> {
    for (const key of keys) {
      this.cache.delete(key);
      this.#epochs.written(key);
    }
    await this.gate.invalidate(keys);
  }

  /** To be called in the turn in which any key may have got another value, with the tier paused. */
  writtenAll(): void {
    this.cache.clear();
    this.#epochs.writtenAll();
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
      const values = await this.getMany(group.map(({ key }) => key));
      for (const [index, { resolve }] of group.entries()) resolve(values[index]);
    } catch (error) {
      if (group.length === 1) group[0]!.reject(error);
      else await this.#readOneByOne(group);
    }
  }

  /** After a batch that failed: a damaged page must fail only the reads that need it. */
  async #readOneByOne(group: readonly Waiting[]): Promise<void> {
    for (const { key, resolve, reject } of group) {
      await this.getMany([key]).then(([value]) => resolve(value), reject);
    }
  }

  #local(key: RowKey): Row | undefined {
    const written = this.sources.unflushed(key.bytes);
    if (written !== undefined) {
      this.#counts.memtable += 1;
      return written === tombstone ? absent : written;
    }
    const row = this.cache.get(key);
    if (row !== undefined) this.#counts.memory += 1;
    return row;
  }

  /** A key that is not in memory, from the table. */
  async #fetchOne(key: RowKey): Promise<Buffer | undefined> {
    const ticket = this.#epochs.begin(key);
    try {
      const value = await this.sources.lookupOne(key.bytes);
      this.#count(value);
      if (this.cache.budgetBytes > 0 && this.#epochs.isCurrent(ticket)) {
        this.cache.set(key, value === undefined ? absent : copyToKeep(value));
      }
      return value;
    } finally {
      this.#epochs.end(ticket);
    }
  }

  /** Distinct keys that are not in memory, from the tier or else the table. */
  async #fetch(keys: readonly RowKey[]): Promise<(Buffer | undefined)[]> {
    const tickets = keys.map((key) => this.#epochs.begin(key));
    try {
      const values = new Array<Buffer | undefined>(keys.length).fill(undefined);
      const held = [...keys.keys()].filter((index) => this.gate.mayHold(keys[index]!));
      const asked = new Set(held);
      const notHeld = [...keys.keys()].filter((index) => !asked.has(index));
      const [missed] = await Promise.all([
        this.#askTier(keys, values, held).then(async (missing) => {
          await this.#lookUp(keys, values, missing);
          return missing;
        }),
        this.#lookUp(keys, values, notHeld),
      ]);
      this.#admit(keys, values, tickets, new Set([...missed, ...notHeld]));
      return values;
    } finally {
      for (const ticket of tickets) this.#epochs.end(ticket);
    }
  }

  /** What was fetched and not written meanwhile goes to the row cache; what came from the table, to the tier too. */
  #admit(
    keys: readonly RowKey[],
    values: readonly (Buffer | undefined)[],
    tickets: readonly FetchTicket[],
    fromTable: ReadonlySet<number>,
  ): void {
    if (this.cache.budgetBytes === 0 && !this.gate.isAttached) return;
    const toTier: (readonly [RowKey, Buffer])[] = [];
    for (const [index, key] of keys.entries()) {
      if (!this.#epochs.isCurrent(tickets[index]!)) continue;
      const value = values[index];
      const row = value === undefined ? absent : copyToKeep(value);
      this.cache.set(key, row);
      if (row !== absent && fromTable.has(index)) toTier.push([key, row]);
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
    this.#counts.remote += indexes.length - missed.length;
    return missed;
  }

  /** Fills in the values at `indexes` from the table. */
  async #lookUp(
    keys: readonly RowKey[],
    values: (Buffer | undefined)[],
    indexes: readonly number[],
  ): Promise<void> {
    if (indexes.length === 0) return;
    const found = await this.sources.lookup(indexes.map((index) => keys[index]!.bytes));
    for (const [position, index] of indexes.entries()) {
      values[index] = found[position];
      this.#count(found[position]);
    }
  }

  #count(fromTable: Buffer | undefined): void {
    if (fromTable === undefined) this.#counts.missing += 1;
    else this.#counts.store += 1;
  }
}

/** The caller may change what it gets; the store's own copy must not change. */
function copyRow(row: Row): Buffer | undefined {
  return row === absent ? undefined : Buffer.from(row);
}
