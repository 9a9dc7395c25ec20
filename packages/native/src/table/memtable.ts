/**
 * The newest writes, sorted, in native memory: see `addon/store/memtable.hh`.
 *
 * JavaScript holds a handle, and closes it when nobody needs the memtable any more: the collector knows nothing of the
 * memory behind it. Users are counted as those of a table are; native work under way holds the memtable for itself.
 */
import { ExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';

/** Names what the addon holds for one memtable. */
export type MemtableHandle = object;

interface MemtableBinding {
  newMemtable(): MemtableHandle;
  closeMemtable(handle: MemtableHandle): void;
  memtableApply(handle: MemtableHandle, batch: Uint8Array, firstSequence: number): number;
  memtableGet(handle: MemtableHandle, key: Uint8Array, view: number): Buffer | null | undefined;
  batchEntries(batch: Uint8Array): number;
  memtableAbsorb(handle: MemtableHandle, newer: MemtableHandle): number;
}

/** A view of everything. */
export const newestView = Number.MAX_SAFE_INTEGER;
/** What the addon answers instead of the memory in use. */
const unsound = -1;
const noMemory = -2;

const binding = (): MemtableBinding => loadBinding() as unknown as MemtableBinding;

/** How many entries a batch has; `undefined` when it contradicts itself. See `addon/store/entry_batch.hh`. */
export function batchEntries(batch: Uint8Array): number | undefined {
  const count = binding().batchEntries(batch);
  return count === unsound ? undefined : count;
}

export class Memtable {
  #handle: MemtableHandle | undefined = binding().newMemtable();
  #users = 1;
  #entries = 0;
  #bytes = 0;

  /** @throws ExopoolError `EXOPOOL_CLOSED`. */
  get handle(): MemtableHandle {
    if (this.#handle === undefined) throw new ExopoolError('EXOPOOL_CLOSED', 'the memtable is closed');
    return this.#handle;
  }

  /** Writes, those that later ones replace included. */
  get entries(): number {
    return this.#entries;
  }

  /** Memory that they take, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Does the writes of a batch in their order.
   * @param batch the payload of a log frame: see `addon/store/entry_batch.hh`
   * @param count of its writes
   * @param firstSequence the number of its first write, greater than that of any before; the others have those after it
   * @throws ExopoolError `EXOPOOL_INVALID` when the batch contradicts itself, `EXOPOOL_IO` without memory. Nothing was
   * done then.
   */
  apply(batch: Uint8Array, count: number, firstSequence: number): void {
    this.#bytes = bytesInUse(binding().memtableApply(this.handle, batch, firstSequence));
    this.#entries += count;
  }

  /** A copy of the value in the view; `null` when it was deleted, `undefined` when the memtable knows nothing of `key`. */
  get(key: Uint8Array, view = newestView): Buffer | null | undefined {
    return binding().memtableGet(this.handle, key, view);
  }

  /**
   * Takes over what `newer` has, all of which was written after everything here. Views of this one do not change.
   * @throws ExopoolError `EXOPOOL_IO` without memory; nothing was taken over then.
   */
  absorb(newer: Memtable): void {
    this.#bytes = bytesInUse(binding().memtableAbsorb(this.handle, newer.handle));
    this.#entries += newer.entries;
  }

  retain(): this {
    this.#users += 1;
    return this;
  }

  /** The last user's call gives the memory back. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0 || this.#handle === undefined) return;
    binding().closeMemtable(this.#handle);
    this.#handle = undefined;
  }
}

function bytesInUse(result: number): number {
  if (result >= 0) return result;
  if (result === noMemory) {
    throw new ExopoolError('EXOPOOL_IO', 'there is no memory for the memtable; lower memtableBytes');
  }
  throw new ExopoolError('EXOPOOL_INVALID', 'the batch is not a sequence of writes; nothing was applied');
}
