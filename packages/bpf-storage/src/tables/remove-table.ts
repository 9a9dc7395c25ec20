/** Removal of a table's file. A process that was killed may have left it pinned (`TableFile.pin`); that is taken back. */
import { rm } from 'node:fs/promises';
import { releasePin } from '@exopool/native/internal';

export async function removeTable(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    releasePin(path);
    await rm(path, { force: true });
  }
}
