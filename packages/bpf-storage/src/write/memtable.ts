/**
 * The newest writes, in native memory: the memtable that takes writes, and the one that is being flushed.
 *
 * Each write has a number, so a view of the past is a number too and costs nothing (see native's
 * `addon/store/memtable.hh`). After a failed flush the frozen memtable takes writes again, together with those that came
 * since. So there are never more than two memtables, however often a flush fails.
 */
import { Memtable, type ScanSources } from '@exopool/native/internal';
import { tombstone, type Tombstone } from '../format/entry.js';

/** Memory of one entry beside its bytes: a node of the skip list, and unused bytes of the arena. */
export const memtableEntryOverheadBytes = 40;

/** Memtables as they were at one moment. Release it. */
export class MemtableView {
  #isOpen = true;

  /** @param memtables the newest first. @param sequence the last visible write. */
  constructor(
    private readonly memtables: readonly Memtable[],
    private readonly sequence: number,
  ) {
    for (const memtable of memtables) memtable.retain();
  }

  get(key: Buffer): Buffer | Tombstone | undefined {
    return newestOf(this.memtables, key, this.sequence);
  }

  get sources(): Pick<ScanSources, 'memtables' | 'view'> {
    return { memtables: this.memtables, view: this.sequence };
  }

  /** Another view of the same moment; it is released separately. */
  fork(): MemtableView {
    return new MemtableView(this.memtables, this.sequence);
  }

  /** Idempotent. */
  release(): void {
    if (this.#isOpen) for (const memtable of this.memtables) memtable.release();
    this.#isOpen = false;
  }
}

/** The memtables of a store: the active one, and during a flush the frozen one. */
export class Memtables {
  #active = new Memtable();
  #frozen: Memtable | undefined;
  #sequence = 0;
  #follower: (memtables: readonly Memtable[]) => void = () => undefined;

  /** Calls `follower` now, and in the turn of each change, with the memtables, the newest first. */
  follow(follower: (memtables: readonly Memtable[]) => void): void {
    this.#follower = follower;
    follower(this.#all);
  }

  /** Number of writes, including those that later ones replace. */
  get entries(): number {
    return this.#active.entries + (this.#frozen?.entries ?? 0);
  }

  get bytes(): number {
    return this.#active.bytes + (this.#frozen?.bytes ?? 0);
  }

  /** Memory of the active memtable, bytes. */
  get activeBytes(): number {
    return this.#active.bytes;
  }

  /**
   * Applies the `count` writes of a batch. `batch` is the payload of a log frame.
   * @throws ExopoolError `EXOPOOL_INVALID` if the batch is malformed, `EXOPOOL_IO` if there is no memory.
   */
  apply(batch: Uint8Array, count: number): void {
    this.#active.apply(batch, count, this.#sequence + 1);
    this.#sequence += count;
  }

  /** The value, the tombstone, or `undefined` if no memtable has `key`. */
  get(key: Buffer): Buffer | Tombstone | undefined {
    return newestOf(this.#all, key, this.#sequence);
  }

  /**
   * Freezes the active memtable and starts another. If an earlier thaw failed, its writes are included.
   * @returns the frozen memtable, which lives until `dropFrozen()`.
   * @throws ExopoolError `EXOPOOL_IO` if there is no memory.
   */
  freeze(): Memtable {
    this.thaw();
    this.#frozen = this.#active;
    this.#active = new Memtable();
    this.#follower(this.#all);
    return this.#frozen;
  }

  /** To be called when the frozen memtable is in a table. */
  dropFrozen(): void {
    const frozen = this.#frozen;
    this.#frozen = undefined;
    this.#follower(this.#all);
    frozen?.release();
  }

  /** Undoes `freeze()` after a failed flush; writes since then are kept. Throws as `freeze()`. */
  thaw(): void {
    if (this.#frozen === undefined) return;
    this.#frozen.absorb(this.#active);
    this.#active.release();
    this.#active = this.#frozen;
    this.#frozen = undefined;
    this.#follower(this.#all);
  }

  /** A view of the memtables as they are now. */
  view(): MemtableView {
    return new MemtableView(this.#all, this.#sequence);
  }

  /** Frees the memory, except what views still use. */
  close(): void {
    this.#frozen?.release();
    this.#frozen = undefined;
    this.#active.release();
  }

  get #all(): readonly Memtable[] {
    return this.#frozen === undefined ? [this.#active] : [this.#active, this.#frozen];
  }
}

function newestOf(
  memtables: readonly Memtable[],
  key: Buffer,
  sequence: number,
): Buffer | Tombstone | undefined {
  for (const memtable of memtables) {
    const value = memtable.get(key, sequence);
    if (value !== undefined) return value ?? tombstone;
  }
  return undefined;
}
