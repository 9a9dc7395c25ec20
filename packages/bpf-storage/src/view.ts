/**
 * Views: a store at one moment. A view keeps the memtables up to a certain write, and the tables, until it is closed.
 */
import { BatchScan, type ScanBatch, type ScanSources, type StoreIndex } from '@exopool/native/internal';
import { toExopoolError } from '@exopool/shared';
import { throwIfAborted } from './base/abort.js';
import type { EngineName } from './tables/engine.js';
import { tombstone } from './format/entry.js';
import type { MemtableView } from './write/memtable.js';
import type { OpenTable } from './tables/open-table.js';
import type { RangeQuery } from './store-options.js';
import { lookUpIn, releaseAll, retainAll } from './tables/table-set.js';

/** A store at one moment. Close it. */
export class View {
  #isOpen = true;

  /** @param memtables released with the view. @param tables the newest first. @param cache where scans find leaves. */
  constructor(
    private readonly memtables: MemtableView,
    readonly tables: readonly OpenTable[],
    private readonly cache: StoreIndex,
  ) {
    retainAll(tables);
  }

  /** Another view of the same moment; it is closed separately. */
  fork(): View {
    return new View(this.memtables.fork(), this.tables, this.cache);
  }

  /** The values of `keys`, in order. No cache is asked. @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_IO`. */
  async getMany(keys: readonly Buffer[], engine: EngineName): Promise<(Buffer | undefined)[]> {
    const written = keys.map((key) => this.memtables.get(key));
    const values = await lookUpIn(this.tables, keys, engine);
    return written.map((value, index) => {
      if (value === undefined) return values[index];
      return value === tombstone ? undefined : value;
    });
  }

  /** The memtables and tables that a scan of `query` must read. */
  sources(query: RangeQuery): ScanSources {
    const tables = this.tables.filter((table) => table.overlaps(query)).map(({ file }) => file);
    return { ...this.memtables.sources, tables, cache: this.cache };
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.memtables.release();
    releaseAll(this.tables);
  }
}

/** A key with its value. The buffers of one batch share a block of memory. */
export type PresentEntry = ScanBatch[number];

/**
 * Iterates over the entries of a view. Most calls of `next()` find their entry in the present batch and cost one resolved
 * promise; a generator would cost several.
 */
class Walk<T> implements AsyncIterableIterator<T, undefined> {
  #view: View | undefined;
  #scan: BatchScan | undefined;
  #batch: ScanBatch = [];
  #index = 0;
  #hasEnded = false;
  /** The last call that waits for a batch. */
  #waiting: Promise<unknown> | undefined;

  constructor(
    private readonly open: () => View,
    private readonly query: RangeQuery,
    private readonly mayGoOn: () => void,
    private readonly take: (entry: PresentEntry) => T,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#waiting === undefined && this.#index < this.#batch.length) {
      try {
        return Promise.resolve(this.#taken());
      } catch (error) {
        this.#end();
        return Promise.reject(toExopoolError(error));
      }
    }
    const result = (this.#waiting ?? Promise.resolve()).then(() => this.#fill());
    const settled: Promise<unknown> = result
      .catch(() => undefined)
      .then(() => {
        if (this.#waiting === settled) this.#waiting = undefined;
      });
    this.#waiting = settled;
    return result;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #fill(): Promise<IteratorResult<T, undefined>> {
    try {
      if (this.#index === this.#batch.length && !this.#hasEnded) {
        this.#check();
        this.#view ??= this.open();
        this.#scan ??= new BatchScan(this.#view.sources(this.query), this.query);
        this.#batch = (await this.#scan.next()) ?? [];
        this.#index = 0;
        this.#check();
      }
      if (this.#batch.length > 0 && !this.#hasEnded) return this.#taken();
      return await this.return();
    } catch (error) {
      this.#end();
      throw toExopoolError(error);
    }
  }

  #taken(): IteratorResult<T, undefined> {
    this.#check();
    const entry = this.#batch[this.#index]!;
    this.#index += 1;
    return { done: false, value: this.take(entry) };
  }

  #check(): void {
    this.mayGoOn();
    throwIfAborted(this.query.signal);
  }

  #end(): void {
    this.#hasEnded = true;
    this.#batch = [];
    this.#index = 0;
    this.#scan?.close();
    this.#view?.close();
  }
}

/**
 * Iterates over the entries of a view, in order.
 * @param open called when the iteration begins; the view is closed when it ends.
 * @param mayGoOn throws to stop.
 * @param take makes what the iteration yields.
 */
export function walk<T>(
  open: () => View,
  query: RangeQuery,
  mayGoOn: () => void,
  take: (entry: PresentEntry) => T,
): AsyncIterableIterator<T, undefined> {
  return new Walk(open, query, mayGoOn, take);
}

export const keyOf = ([key]: PresentEntry): Buffer => key;

export const wholeEntry = ([key, value]: PresentEntry): [Buffer, Buffer] => [key, value];
