/**
 * What a store holds at one moment: copies of its memtables, which cost next to nothing (see memtable.ts), and its
 * tables, kept from being removed until the view is closed.
 */
import { throwIfAborted } from './abort.js';
import { ascending, descending, MergeCursor, tombstone, type Cursor, type Entry } from './cursor.js';
import type { EngineName } from './engine.js';
import type { Memtable } from './memtable.js';
import type { OpenTable } from './open-table.js';
import type { RangeQuery } from './store-options.js';
import { cursorsOf, lookUpIn, releaseAll, retainAll } from './table-set.js';

export class View {
  #isOpen = true;

  /** @param memtables copies that nobody changes, the newest first. @param tables the newest first. */
  constructor(
    private readonly memtables: readonly Memtable[],
    readonly tables: readonly OpenTable[],
  ) {
    retainAll(tables);
  }

  /** Another one of the same moment, to be closed on its own. */
  fork(): View {
    return new View(this.memtables, this.tables);
  }

  /** The values of `keys`, in order, past all caches. @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_IO`. */
  async getMany(keys: readonly Buffer[], engine: EngineName): Promise<(Buffer | undefined)[]> {
    const values = await lookUpIn(this.tables, keys, engine);
    return keys.map((key, index) => {
      for (const memtable of this.memtables) {
        const written = memtable.get(key);
        if (written !== undefined) return written === tombstone ? undefined : Buffer.from(written);
      }
      return values[index];
    });
  }

  /** The newest sources first. */
  cursors(query: RangeQuery): Cursor[] {
    const memtables = this.memtables.map((memtable) => memtable.cursor(query));
    return [...memtables, ...cursorsOf(this.tables, query, query.signal)];
  }

  /** Idempotent. */
  close(): void {
    if (this.#isOpen) releaseAll(this.tables);
    this.#isOpen = false;
  }
}

/** An entry that is there. Its buffers are parts of larger ones, and good until the next entry. */
export type PresentEntry = Entry & { readonly value: Buffer };

/**
 * The entries of a view in order, each as `take` makes it. One generator does all, as each layer costs promises an entry.
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
  try {
    throwIfAborted(query.signal);
    const merged = await MergeCursor.open(
      view.cursors(query),
      query.reverse === true ? descending : ascending,
    );
    for (let given = 0; given < query.limit;) {
      const wait = merged.next();
      if (wait !== undefined) await wait;
      mayGoOn();
      throwIfAborted(query.signal);
      if (merged.entry === undefined) return;
      const { key, value } = merged.entry;
      if (value === tombstone) continue;
      yield take({ key, value });
      given += 1;
    }
  } finally {
    view.close();
  }
}

export const sameEntry = (entry: PresentEntry): PresentEntry => entry;

export const copyKeyOf = ({ key }: PresentEntry): Buffer => Buffer.from(key);

export const copyEntry = ({ key, value }: PresentEntry): [Buffer, Buffer] => [
  Buffer.from(key),
  Buffer.from(value),
];
