/**
 * Keeps a table file in its place on the device, while the kernel reads it by its extents (engine `nvme-bpf`).
 *
 * The file becomes immutable, which the file system enforces. The addon marks the attribute as ours, so that one that
 * somebody else set is kept. The journal has the change first: if we are killed, the next start undoes it.
 */
import { ExopoolError } from '@exopool/shared';
import { MachineJournal } from '../machine/journal.js';

const pins = new Set<ExtentPin>();
/** The journal of all pins; undefined while there is no pin. */
let journal: MachineJournal | undefined;

/**
 * A file that is held in its place.
 * @example
 * ```ts
 * const pin = ExtentPin.take(path, () => binding.pinTable(handle), () => binding.unpinTable(handle));
 * pin.release();
 * ```
 */
export class ExtentPin {
  readonly #letGo: () => void;

  private constructor(letGo: () => void) {
    this.#letGo = letGo;
  }

  /**
   * Records the pin, and takes it.
   * @param hold pins the file, and returns the reason when it cannot; else an empty text.
   * @param letGo undoes that. It is also called when `hold` refused.
   * @throws `EXOPOOL_UNSUPPORTED` with the reason why this file cannot be read past the file system
   */
  static take(path: string, hold: () => string, letGo: () => void): ExtentPin {
    if (pins.size === 0) process.on('exit', releaseAll);
    journal ??= MachineJournal.open();
    journal.record({ kind: 'pin', path });
    const pin = new ExtentPin(letGo);
    pins.add(pin);
    let refusal: string;
    try {
      refusal = hold();
    } catch (error) {
      pin.release();
      throw error;
    }
    if (refusal === '') return pin;
    pin.release();
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', `${path}: nvme-bpf cannot read it: ${refusal}`);
  }

  /** Unpins the file. `pread` answers lookups in flight. Idempotent. */
  release(): void {
    if (!pins.delete(this)) return;
    this.#letGo();
    if (pins.size > 0) return;
    journal?.discard();
    journal = undefined;
    process.off('exit', releaseAll);
  }
}

function releaseAll(): void {
  for (const pin of pins) pin.release();
}
