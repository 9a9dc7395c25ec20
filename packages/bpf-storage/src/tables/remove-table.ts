/** Removes table files. A killed process may have left one pinned (`TableFile.pin`), which is undone first. */
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
