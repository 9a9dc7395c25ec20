/** Sorting in native memory, for bulk loads. */
import { ExopoolError } from '@exopool/shared';
import { batchCode } from '../contracts.js';
import { loadBinding } from '../load-binding.js';

interface SortedRunBinding {
  newRun(): object;
  closeRun(run: object): void;
  addToRun(run: object, batch: Uint8Array): number;
}

const binding = (): SortedRunBinding => loadBinding() as unknown as SortedRunBinding;

/**
 * Entries gathered in native memory, in any order. The first scan that reads the run sorts it, on the scan's thread.
 * Nothing may be added from then on. Of equal keys the last one counts.
 * @example
 * ```ts
 * import { scanBatches, SortedRun } from '@exopool/native/internal';
 *
 * declare const batch: Uint8Array; // entries as in a log frame
 * const run = new SortedRun();
 * run.add(batch);
 * for await (const entries of scanBatches({ runs: [run] }, {}, () => undefined)) console.log(entries);
 * run.close();
 * ```
 */
export class SortedRun {
  #handle: object | undefined = binding().newRun();
  #bytes = 0;

  /** For other facades of the addon. @throws ExopoolError `EXOPOOL_CLOSED`. */
  get handle(): object {
    if (this.#handle === undefined)
      throw new ExopoolError('EXOPOOL_CLOSED', 'the run is closed; make a new one');
    return this.#handle;
  }

  /** Memory in use, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds entries.
   * @param batch entries as in the payload of a log frame: see `addon/store/entry_batch.hh`.
   * @throws ExopoolError `EXOPOOL_INVALID` when the batch contradicts itself, `EXOPOOL_IO` without memory.
   */
  add(batch: Uint8Array): void {
    const bytes = binding().addToRun(this.handle, batch);
    if (bytes === batchCode.unsound)
      throw new ExopoolError('EXOPOOL_INVALID', 'the batch is not a sequence of entries; nothing was added');
    if (bytes < 0) throw new ExopoolError('EXOPOOL_IO', 'there is no memory for sorting; lower runBytes');
    this.#bytes = bytes;
  }

  /** Frees the memory once no native work uses it. Idempotent. */
  close(): void {
    if (this.#handle !== undefined) binding().closeRun(this.#handle);
    this.#handle = undefined;
  }
}
