/**
 * Keeps a table file where it is on its device, while the kernel reads it by its extents (engine `nvme-bpf`).
 *
 * The file is made immutable, which the file system enforces; the addon marks that it was us, so that an attribute
 * that somebody else has set stays. The change is in the journal first: who is killed has it undone by the next start.
 */
import { ExopoolError } from '@exopool/shared';
import { MachineJournal } from './journal.js';
import { tableBinding, type TableHandle } from './table-binding.js';

export interface ExtentPin {
  /** Lookups under way come back as stale and are answered by `pread`. */
  release(): void;
}

/** One journal for all pins of the process; undone as the process ends. */
let journal: MachineJournal | undefined;

/** @throws `EXOPOOL_UNSUPPORTED` with the reason why this file cannot be read past the file system */
export function pinExtents(path: string, handle: TableHandle): ExtentPin {
  if (journal === undefined) {
    journal = MachineJournal.open();
    process.once('exit', () => journal?.discard());
  }
  journal.record({ kind: 'pin', path });
  const refusal = tableBinding().pinTable(handle);
  if (refusal !== '')
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', `${path}: nvme-bpf cannot read it: ${refusal}`);
  return { release: () => tableBinding().unpinTable(handle) };
}
