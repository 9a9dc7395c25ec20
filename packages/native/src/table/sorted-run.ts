import { ExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';

interface SortedRunBinding {
  newRun(): object;
  closeRun(run: object): void;
  addToRun(run: object, batch: Uint8Array): number;
}

const binding = (): SortedRunBinding => loadBinding() as unknown as SortedRunBinding;

/**
 * Entries gathered in native memory in any order. The first scan that reads them sorts them, on its own thread; nothing may
 * be added from then on. Of equal keys the last one added counts.
 */
export class SortedRun {
  #handle: object | undefined = binding().newRun();
  #bytes = 0;

  /** @throws ExopoolError `EXOPOOL_CLOSED`. */
  get handle(): object {
    if (this.#handle === undefined) throw new ExopoolError('EXOPOOL_CLOSED', 'the run is closed');
    return this.#handle;
  }

  /** Memory in use. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param batch entries as in the payload of a log frame: see `addon/store/entry_batch.hh`
   * @throws ExopoolError `EXOPOOL_INVALID` when the batch contradicts itself, `EXOPOOL_IO` without memory.
   */
  add(batch: Uint8Array): void {
    const bytes = binding().addToRun(this.handle, batch);
    if (bytes === -1) throw new ExopoolError('EXOPOOL_INVALID', 'the batch is not a sequence of entries');
    if (bytes < 0) throw new ExopoolError('EXOPOOL_IO', 'there is no memory for sorting; lower runBytes');
    this.#bytes = bytes;
  }

  /** Gives the memory back once no native work uses it. Idempotent. */
  close(): void {
    if (this.#handle !== undefined) binding().closeRun(this.#handle);
    this.#handle = undefined;
  }
}
