/**
 * What a store holds at one moment: its memtables up to a write, and its tables, both kept until the view is closed.
 */
import { scanBatches, type ScanSources } from '@exopool/native';
import { throwIfAborted } from './abort.js';
import type { EngineName } from './engine.js';
import { tombstone } from './entry.js';
import type { MemtableView } from './memtable.js';
import type { OpenTable } from './open-table.js';
import type { RangeQuery } from './store-options.js';
import { lookUpIn, releaseAll, retainAll } from './table-set.js';

export class View {
  #isOpen = true;

  /** @param memtables released with the view. @param tables the newest first. */
  constructor(
    private readonly memtables: MemtableView,
    readonly tables: readonly OpenTable[],
  ) {
    retainAll(tables);
  }

  /** Another one of the same moment, to be closed on its own. */
  fork(): View {
    return new View(this.memtables.fork(), this.tables);
  }

  /** The values of `keys`, in order, past all caches. @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_IO`. */
  async getMany(keys: readonly Buffer[], engine: EngineName): Promise<(Buffer | undefined)[]> {
    const written = keys.map((key) => this.memtables.get(key));
    const values = await lookUpIn(this.tables, keys, engine);
    return written.map((value, index) => {
      if (value === undefined) return values[index];
      return value === tombstone ? undefined : value;
    });
  }

  /** What a scan of `query` has to read. */
  sources(query: RangeQuery): ScanSources {
    const tables = this.tables.filter((table) => table.overlaps(query)).map(({ file }) => file);
    return { ...this.memtables.sources, tables };
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.memtables.release();
    releaseAll(this.tables);
  }
}

/** An entry that is there. Its buffers are parts of one block of memory a batch. */
export type PresentEntry = readonly [key: Buffer, value: Buffer];

/**
 * The entries of a view in order, each as `take` makes it.
 * @param open called when the iteration begins; the view is closed when it ends.
 * @param mayGoOn throws to stop.
 */
export async function* walk<T>(
  open: () => View,
  query: RangeQuery,
  mayGoOn: () => void,
  take: (entry: PresentEntry) => T,
): AsyncGenerator<T> {
  const view = open();
  const check = (): void => {
    mayGoOn();
    throwIfAborted(query.signal);
  };
  try {
    throwIfAborted(query.signal);
    for await (const batch of scanBatches(view.sources(query), query, check)) {
      for (const entry of batch) {
        yield take(entry);
        check();
      }
    }
  } finally {
    view.close();
  }
}

export const keyOf = ([key]: PresentEntry): Buffer => key;

export const wholeEntry = ([key, value]: PresentEntry): [Buffer, Buffer] => [key, value];
