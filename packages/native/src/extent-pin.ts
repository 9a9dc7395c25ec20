/**
 * Keeps a table file where it is on its device, while the kernel reads it by its extents (engine `nvme-bpf`).
 *
 * The file is made immutable, which the file system enforces; the addon marks that it was us, so that an attribute
 * that somebody else has set stays. The change is in the journal first: who is killed has it undone by the next start.
 */
import { ExopoolError } from '@exopool/shared';
import { MachineJournal } from './journal.js';
import { tableBinding, type TableHandle } from './table-binding.js';

const pins = new Set<ExtentPin>();
/** Of all pins that there are; none as long as there is no pin. */
let journal: MachineJournal | undefined;

export class ExtentPin {
  readonly #handle: TableHandle;

  private constructor(handle: TableHandle) {
    this.#handle = handle;
  }

  /** @throws `EXOPOOL_UNSUPPORTED` with the reason why this file cannot be read past the file system */
  static take(path: string, handle: TableHandle): ExtentPin {
    if (pins.size === 0) process.on('exit', releaseAll);
    journal ??= MachineJournal.open();
    journal.record({ kind: 'pin', path });
    const pin = new ExtentPin(handle);
    pins.add(pin);
    const refusal = tableBinding().pinTable(handle);
    if (refusal === '') return pin;
    pin.release();
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', `${path}: nvme-bpf cannot read it: ${refusal}`);
  }

  /** Idempotent. Lookups under way come back as stale, and `pread` answers them. */
  release(): void {
    if (!pins.delete(this)) return;
    tableBinding().unpinTable(this.#handle);
    if (pins.size > 0) return;
    journal?.discard();
    journal = undefined;
    process.off('exit', releaseAll);
  }
}

function releaseAll(): void {
  for (const pin of pins) pin.release();
}
