/**
 * The newest writes, sorted, in memory, until a flush writes them into a table.
 *
 * A B+-tree of buffers compared bytewise. Deletions are tombstones, as an older value may lie in a table below.
 * While it is being flushed a memtable is frozen: it is still read, and a new one takes the writes.
 *
 * Cloning is cheap (nodes are shared until one side changes them), so a range scan works on a clone and sees
 * exactly what was there when it began.
 */
import { createRequire } from 'node:module';
import type SortedBtree from 'sorted-btree';
import { ExopoolError } from '@exopool/shared';
import { MemoryCursor, tombstone, type Cursor, type Entry, type Tombstone } from './cursor.js';
import type { KeyRange } from './table-scan.js';

// A CommonJS module whose default export Node and bundlers disagree on; `require` has one meaning everywhere.
const { default: BTree } = createRequire(import.meta.url)('sorted-btree') as typeof SortedBtree;

/** Memory of one entry beside its bytes, measured: two Buffer objects and two slots of a tree node. */
export const memtableEntryOverheadBytes = 240;

const byteOrder = (a: Buffer, b: Buffer): number => Buffer.compare(a, b);

export class Memtable {
  #bytes = 0;

  constructor(private readonly tree = new BTree<Buffer, Buffer | Tombstone>(undefined, byteOrder)) {}

  get entries(): number {
    return this.tree.size;
  }

  /** Memory in use: keys, values and {@link memtableEntryOverheadBytes} an entry. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The value, the tombstone, or `undefined` when the memtable knows nothing of `key`. */
  get(key: Buffer): Buffer | Tombstone | undefined {
    return this.tree.get(key);
  }

  /** Keeps both buffers: they must not change. @throws ExopoolError `EXOPOOL_INTERNAL` when it is frozen. */
  set(key: Buffer, value: Buffer | Tombstone): void {
    if (this.tree.isFrozen) throw new ExopoolError('EXOPOOL_INTERNAL', 'a frozen memtable takes no writes');
    const old = this.tree.get(key);
    if (old !== undefined) this.#bytes -= entryBytes(key, old);
    this.#bytes += entryBytes(key, value);
    this.tree.set(key, value);
  }

  freeze(): void {
    this.tree.freeze();
  }

  /** Undoes `freeze()` after a flush that failed, and takes over the writes that came in the meantime. */
  thaw(newer: Memtable): void {
    this.tree.unfreeze();
    newer.tree.forEachPair((key, value) => this.set(key, value));
  }

  /** A copy that shares its nodes with this one until either changes them. */
  clone(): Memtable {
    return new Memtable(this.tree.clone());
  }

  /** The entries of `range` as they are now, whatever is written later. */
  cursor(range: KeyRange): Cursor {
    return new MemoryCursor(entriesOf(this.tree.clone(), range));
  }
}

/**
 * The memtable that takes the writes, and the one that is being flushed. A flush that fails gives the frozen one back
 * its role, so however often flushing fails there are never more than these two.
 */
export class Memtables {
  #active = new Memtable();
  #frozen: Memtable | undefined;

  /** The one that takes the writes. */
  get active(): Memtable {
    return this.#active;
  }

  get entries(): number {
    return this.#active.entries + (this.#frozen?.entries ?? 0);
  }

  get bytes(): number {
    return this.#active.bytes + (this.#frozen?.bytes ?? 0);
  }

  get(key: Buffer): Buffer | Tombstone | undefined {
    return this.#active.get(key) ?? this.#frozen?.get(key);
  }

  /** Freezes the active one and starts another. @returns the frozen one. */
  freeze(): Memtable {
    const frozen = this.#active;
    frozen.freeze();
    this.#frozen = frozen;
    this.#active = new Memtable();
    return frozen;
  }

  /** What was frozen is in a table now. */
  dropFrozen(): void {
    this.#frozen = undefined;
  }

  /** What was frozen could not be written: it takes writes again, with those that came since. */
  thaw(): void {
    if (this.#frozen === undefined) return;
    this.#frozen.thaw(this.#active);
    this.#active = this.#frozen;
    this.#frozen = undefined;
  }

  /** Copies of both, the newest first. */
  snapshot(): Memtable[] {
    const tables = this.#frozen === undefined ? [this.#active] : [this.#active, this.#frozen];
    return tables.map((table) => table.clone());
  }
}

function entryBytes(key: Buffer, value: Buffer | Tombstone): number {
  return key.length + (value === tombstone ? 0 : value.length) + memtableEntryOverheadBytes;
}

function* entriesOf(
  tree: InstanceType<typeof BTree<Buffer, Buffer | Tombstone>>,
  { lower, upper, reverse }: KeyRange,
): Generator<Entry> {
  const isReverse = reverse === true;
  const [start, end] = isReverse ? [upper, lower] : [lower, upper];
  const pairs = isReverse ? tree.entriesReversed(start?.key) : tree.entries(start?.key);
  for (const [key, value] of pairs) {
    if (start?.inclusive === false && key.equals(start.key)) continue;
    if (end !== undefined) {
      const order = Buffer.compare(key, end.key) * (isReverse ? -1 : 1);
      if (order > 0 || (order === 0 && !end.inclusive)) return;
    }
    yield { key, value };
  }
}
