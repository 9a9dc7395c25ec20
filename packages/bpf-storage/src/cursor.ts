/**
 * Cursors: one way to walk sorted entries, whether they lie in memory, in a table or in many of both.
 *
 * A cursor is asked for the next entry. Nearly always the entry is in memory already, so `next()` returns nothing
 * and costs a function call; only at the edge of what was read ahead does it return a promise to wait for. An
 * async iterator would cost several promises an entry.
 *
 * `MergeCursor` makes one sorted cursor of several. Sources are ordered by age: of equal keys the newest source's
 * entry is given and the older ones are skipped. A deletion is an entry too (a tombstone), or the older value
 * below it would come back.
 */

/** Stands for "deleted" where a value would be. */
export const tombstone = Symbol('tombstone');
export type Tombstone = typeof tombstone;

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer | Tombstone;
}

export interface Cursor {
  /** Where the cursor stands; `undefined` before the first `next()` and at the end. */
  readonly entry: Entry | undefined;
  /** Goes on by one entry. When a promise comes back, `entry` is set once it resolves. */
  next(): Promise<void> | undefined;
}

/** A cursor over entries in memory. */
export class MemoryCursor implements Cursor {
  entry: Entry | undefined;
  readonly #entries: Iterator<Entry>;

  constructor(entries: Iterable<Entry>) {
    this.#entries = entries[Symbol.iterator]();
  }

  next(): undefined {
    const result = this.#entries.next();
    this.entry = result.done === true ? undefined : result.value;
  }
}

/** A cursor over batches of entries, such as the leaves of a table. */
export class BatchCursor implements Cursor {
  entry: Entry | undefined;
  readonly #batches: AsyncIterator<readonly Entry[]>;
  #batch: readonly Entry[] = [];
  #index = 0;

  constructor(batches: AsyncIterable<readonly Entry[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  next(): Promise<void> | undefined {
    this.entry = this.#batch[this.#index];
    this.#index += 1;
    return this.entry === undefined ? this.#refill() : undefined;
  }

  async #refill(): Promise<void> {
    for (;;) {
      const result = await this.#batches.next();
      this.#batch = result.done === true ? [] : result.value;
      this.#index = 1;
      this.entry = this.#batch[0];
      if (this.entry !== undefined || result.done === true) return;
    }
  }
}

/** Compares keys in the direction of travel. */
export type KeyOrder = (a: Buffer, b: Buffer) => number;
export const ascending: KeyOrder = (a, b) => Buffer.compare(a, b);
export const descending: KeyOrder = (a, b) => Buffer.compare(b, a);

interface Source {
  readonly cursor: Cursor;
  /** 0 is the newest. */
  readonly age: number;
}

/** Several sorted cursors as one, by a binary heap over their next keys. */
export class MergeCursor implements Cursor {
  entry: Entry | undefined;
  readonly #heap: Source[] = [];

  private constructor(private readonly order: KeyOrder) {}

  /** @param cursors fresh ones, the newest first; each gives its keys in `order`, none twice. */
  static async open(cursors: readonly Cursor[], order: KeyOrder): Promise<MergeCursor> {
    const merge = new MergeCursor(order);
    await Promise.all(cursors.map(async (cursor) => cursor.next()));
    for (const [age, cursor] of cursors.entries()) {
      if (cursor.entry !== undefined) merge.#heap.push({ cursor, age });
    }
    for (let index = (merge.#heap.length >> 1) - 1; index >= 0; index -= 1) merge.#siftDown(index);
    return merge;
  }

  next(): Promise<void> | undefined {
    const passed = this.entry?.key;
    this.entry = undefined;
    return this.#advance(passed);
  }

  /** Moves every source that stands on `passed` on, then takes the first of what remains. */
  #advance(passed: Buffer | undefined): Promise<void> | undefined {
    for (;;) {
      const top = this.#heap[0]?.cursor;
      if (top?.entry === undefined) return undefined;
      if (passed === undefined || !top.entry.key.equals(passed)) {
        this.entry = top.entry;
        return undefined;
      }
      const wait = top.next();
      if (wait !== undefined) return this.#advanceAfter(wait, passed);
      this.#settleTop();
    }
  }

  async #advanceAfter(wait: Promise<void>, passed: Buffer): Promise<void> {
    await wait;
    this.#settleTop();
    await this.#advance(passed);
  }

  /** Restores the heap after its top source has moved. */
  #settleTop(): void {
    if (this.#heap[0]!.cursor.entry === undefined) {
      const last = this.#heap.pop()!;
      if (this.#heap.length > 0) this.#heap[0] = last;
    }
    this.#siftDown(0);
  }

  #siftDown(start: number): void {
    const heap = this.#heap;
    for (let index = start; ;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < heap.length && this.#before(heap[child]!, heap[least]!)) least = child;
      }
      if (least === index) return;
      [heap[index], heap[least]] = [heap[least]!, heap[index]!];
      index = least;
    }
  }

  #before(a: Source, b: Source): boolean {
    const order = this.order(a.cursor.entry!.key, b.cursor.entry!.key);
    return order === 0 ? a.age < b.age : order < 0;
  }
}
