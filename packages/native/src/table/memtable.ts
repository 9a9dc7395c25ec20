/**
 * The newest writes, sorted, in native memory: see `addon/store/memtable.hh`.
 *
 * JavaScript holds a handle, and must close it: the garbage collector does not know the memory behind it. So users are
 * counted, as for a table. Native work in flight holds the memtable for itself.
 */
import { ExopoolError } from '@exopool/shared';
import { batchCode } from '../contracts.js';
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

/** A view that hides no write. */
export const newestView = Number.MAX_SAFE_INTEGER;

const binding = (): MemtableBinding => loadBinding() as unknown as MemtableBinding;

/** Counts the entries of a batch; `undefined` when the batch contradicts itself. See `addon/store/entry_batch.hh`. */
export function batchEntries(batch: Uint8Array): number | undefined {
  const count = binding().batchEntries(batch);
  return count === batchCode.unsound ? undefined : count;
}

/**
 * A sorted map of writes, with a view for each sequence number.
 * @example
 * ```ts
 * import { Memtable } from '@exopool/native/internal';
 *
 * declare const batch: Uint8Array; // two writes, as in a log frame
 * const memtable = new Memtable();
 * memtable.apply(batch, 2, 1); // they are numbered 1 and 2
 * console.log(memtable.get(Buffer.from('key'), 1)); // as it was after the first one
 * memtable.release();
 * ```
 */
export class Memtable {
  #handle: MemtableHandle | undefined = binding().newMemtable();
  #users = 1;
  #entries = 0;
  #bytes = 0;

  /** For other facades of the addon. @throws ExopoolError `EXOPOOL_CLOSED`. */
  get handle(): MemtableHandle {
    if (this.#handle === undefined) throw new ExopoolError('EXOPOOL_CLOSED', 'the memtable is closed');
    return this.#handle;
  }

  /** Number of writes, including replaced ones. */
  get entries(): number {
    return this.#entries;
  }

  /** Memory in use, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Applies the writes of a batch in order: all of them, or none when this throws.
   * @param batch the payload of a log frame: see `addon/store/entry_batch.hh`.
   * @param count number of its writes.
   * @param firstSequence sequence number of its first write. It must be greater than any before; the next ones follow.
   * @throws ExopoolError `EXOPOOL_INVALID` when the batch contradicts itself, `EXOPOOL_IO` without memory.
   */
  apply(batch: Uint8Array, count: number, firstSequence: number): void {
    this.#bytes = bytesInUse(binding().memtableApply(this.handle, batch, firstSequence));
    this.#entries += count;
  }

  /** A copy of the value in the view; `null` for a deleted key, `undefined` for a key without writes here. */
  get(key: Uint8Array, view = newestView): Buffer | null | undefined {
    return binding().memtableGet(this.handle, key, view);
  }

  /**
   * Adds all writes of `newer`, which must be later than every write here. Views of this memtable do not change.
   * @throws ExopoolError `EXOPOOL_IO` without memory; nothing was added then.
   */
  absorb(newer: Memtable): void {
    this.#bytes = bytesInUse(binding().memtableAbsorb(this.handle, newer.handle));
    this.#entries += newer.entries;
  }

  /** Adds a user, who must call {@link release}. */
  retain(): this {
    this.#users += 1;
    return this;
  }

  /** Removes a user. The last call frees the memory. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0 || this.#handle === undefined) return;
    binding().closeMemtable(this.#handle);
    this.#handle = undefined;
  }
}

function bytesInUse(result: number): number {
  if (result >= 0) return result;
  if (result === batchCode.noMemory) {
    throw new ExopoolError('EXOPOOL_IO', 'there is no memory for the memtable; lower memtableBytes');
  }
  throw new ExopoolError('EXOPOOL_INVALID', 'the batch is not a sequence of writes; nothing was applied');
}
