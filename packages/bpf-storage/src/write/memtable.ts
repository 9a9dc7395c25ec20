/**
 * The newest writes, in native memory: the memtable that takes them, and the one that is being flushed.
 *
 * Each write has a number, so a view of the past is a number too, and costs nothing (see `addon/memtable.hh`). A flush
 * that fails gives the frozen memtable its role back, with the writes that came since, so however often flushing fails
 * there are never more than these two.
 */
import { Memtable, type ScanSources } from '@exopool/native/internal';
import { tombstone, type Tombstone } from '../format/entry.js';

/** Memory of one entry beside its bytes: a node of the skip list, and what its place in the arena leaves unused. */
export const memtableEntryOverheadBytes = 40;

/** Memtables as they were at one moment. Release it. */
export class MemtableView {
  #isOpen = true;

  /** @param memtables the newest first. @param sequence the last write that shows. */
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

  /** Another one of the same moment, to be released on its own. */
  fork(): MemtableView {
    return new MemtableView(this.memtables, this.sequence);
  }

  /** Idempotent. */
  release(): void {
    if (this.#isOpen) for (const memtable of this.memtables) memtable.release();
    this.#isOpen = false;
  }
}

export class Memtables {
  #active = new Memtable();
  #frozen: Memtable | undefined;
  #sequence = 0;
  #follower: (memtables: readonly Memtable[]) => void = () => undefined;

  /** Tells `follower` now, and in the turn of each change, which memtables there are, the newest first. */
  follow(follower: (memtables: readonly Memtable[]) => void): void {
    this.#follower = follower;
    follower(this.#all);
  }

  /** Writes, those that later ones replace included. */
  get entries(): number {
    return this.#active.entries + (this.#frozen?.entries ?? 0);
  }

  get bytes(): number {
    return this.#active.bytes + (this.#frozen?.bytes ?? 0);
  }

  /** Of the one that takes the writes. */
  get activeBytes(): number {
    return this.#active.bytes;
  }

  /**
   * Does the `count` writes of a batch, the payload of a log frame.
   * @throws ExopoolError `EXOPOOL_INVALID` when it contradicts itself, `EXOPOOL_IO` without memory.
   */
  apply(batch: Uint8Array, count: number): void {
    this.#active.apply(batch, count, this.#sequence + 1);
    this.#sequence += count;
  }

  /** The value, the tombstone, or `undefined` when neither knows anything of `key`. */
  get(key: Buffer): Buffer | Tombstone | undefined {
    return newestOf(this.#all, key, this.#sequence);
  }

  /**
   * Freezes the active one, with what could not be thawed before, and starts another.
   * @returns the frozen one, which lives until `dropFrozen()`.
   * @throws ExopoolError `EXOPOOL_IO` without memory.
   */
  freeze(): Memtable {
    this.thaw();
    this.#frozen = this.#active;
    this.#active = new Memtable();
    this.#follower(this.#all);
    return this.#frozen;
  }

  /** What was frozen is in a table now. */
  dropFrozen(): void {
    const frozen = this.#frozen;
    this.#frozen = undefined;
    this.#follower(this.#all);
    frozen?.release();
  }

  /** What was frozen could not be written: it takes writes again, with those that came since. Throws as `freeze()`. */
  thaw(): void {
    if (this.#frozen === undefined) return;
    this.#frozen.absorb(this.#active);
    this.#active.release();
    this.#active = this.#frozen;
    this.#frozen = undefined;
    this.#follower(this.#all);
  }

  /** As they are now, whatever is written later. */
  view(): MemtableView {
    return new MemtableView(this.#all, this.#sequence);
  }

  /** Gives the memory back, except what views still use. */
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
