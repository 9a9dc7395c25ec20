/** A file's name is part of its folder: it survives power loss once the folder was synced too. */
import { open } from 'node:fs/promises';
import { toExopoolError } from '@exopool/shared';

/** Makes the names in a folder durable. */
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
