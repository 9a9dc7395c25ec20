/**
 * Sets the read-ahead of a disk to the kernel's default for the time of a run.
 *
 * A fault in a mapped file reads as much as the read-ahead. Some machine images set it to megabytes, for fast boots. A
 * store that reads through a map would then read megabytes for each record.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { MachineJournal } from '@exopool/native';
import { toExopoolError } from '@exopool/shared';

/** VM_READAHEAD_PAGES of the kernel. */
export const readAheadKibDefault = 128;

export class ReadAhead {
  private constructor(
    /** The present read-ahead; `undefined` if the disk has none. */
    readonly kib: number | undefined,
    /** A note for the report if the read-ahead distorts the figures. */
    readonly note: string | undefined,
    private readonly journal: MachineJournal | undefined,
  ) {}

  /** Lowers it for the disk of `folder` if it is above the default. Without permission, `note` says so. */
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

  /** Restores the original value. */
  async close(): Promise<void> {
    await this.journal?.undoAll();
  }
}

function settingOf(folder: string): string {
  const { dev } = statSync(folder, { bigint: true });
  // The same as gnu_dev_major and gnu_dev_minor.
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
