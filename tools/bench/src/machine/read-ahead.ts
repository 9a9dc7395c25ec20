/**
 * The read-ahead of a disk, as the kernel has it by default while a run lasts.
 *
 * A fault in a mapped file brings in as much as the read-ahead says. Some machine images set it to megabytes, for
 * speedy boots; every store that reads through a map would then fetch them for each record, and be measured on that.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { MachineJournal } from '@exopool/native';
import { toExopoolError } from '@exopool/shared';

/** VM_READAHEAD_PAGES of the kernel. */
export const readAheadKibDefault = 128;

export class ReadAhead {
  private constructor(
    /** What it is now; `undefined` where the disk has none. */
    readonly kib: number | undefined,
    /** What the figures suffer from. */
    readonly note: string | undefined,
    private readonly journal: MachineJournal | undefined,
  ) {}

  /** Lowers it for the disk of `folder` where it is above the default; without the right to, says so in `note`. */
  static async lower(folder: string, journalFolder?: string): Promise<ReadAhead> {
    const file = settingOf(folder);
    const kib = read(file);
    if (kib === undefined || kib <= readAheadKibDefault) return new ReadAhead(kib, undefined, undefined);
    const journal = MachineJournal.open(journalFolder);
    try {
      journal.record({ kind: 'file', path: file, old: String(kib) });
      writeFileSync(file, String(readAheadKibDefault));
      return new ReadAhead(readAheadKibDefault, undefined, journal);
    } catch (error) {
      await journal.undoAll().catch(() => undefined);
      const reason = toExopoolError(error).message;
      const effect = 'stores that map their files read that much for a record';
      return new ReadAhead(
        kib,
        `the disk's read-ahead of ${kib} KiB could not be lowered, so ${effect}: ${reason}`,
        undefined,
      );
    }
  }

  /** Puts back what was. */
  async close(): Promise<void> {
    await this.journal?.undoAll();
  }
}

function settingOf(folder: string): string {
  const { dev } = statSync(folder, { bigint: true });
  // As in gnu_dev_major and gnu_dev_minor.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `/sys/class/bdi/${major}:${minor}/read_ahead_kb`;
}

function read(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
