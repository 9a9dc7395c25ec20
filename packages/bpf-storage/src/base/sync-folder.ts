/** Syncs folders. A file's name is part of its folder, so it survives power loss only once the folder is synced. */
import { open } from 'node:fs/promises';
import { toExopoolError } from '@exopool/shared';

/** Makes the names in a folder durable. @throws ExopoolError `EXOPOOL_IO`, … */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw toExopoolError(error, `cannot make the names in ${folder} durable`);
  }
}
