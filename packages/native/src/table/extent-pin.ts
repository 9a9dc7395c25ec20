/**
 * Keeps a table file where it is on its device, while the kernel reads it by its extents (engine `nvme-bpf`).
 *
 * The file is made immutable, which the file system enforces; the addon marks that it was us, so that an attribute
 * that somebody else has set stays. The change is in the journal first: who is killed has it undone by the next start.
 */
import { ExopoolError } from '@exopool/shared';
import { MachineJournal } from '../machine/journal.js';

const pins = new Set<ExtentPin>();
/** Of all pins that there are; none as long as there is no pin. */
let journal: MachineJournal | undefined;

export class ExtentPin {
  readonly #letGo: () => void;

  private constructor(letGo: () => void) {
    this.#letGo = letGo;
  }

  /**
   * @param hold keeps the file where it is, or says why it cannot
   * @param letGo undoes that; also called when `hold` refused
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

  /** Idempotent. Lookups under way come back as stale, and `pread` answers them. */
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
