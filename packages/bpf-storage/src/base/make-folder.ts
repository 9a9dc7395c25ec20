/** Creates folders. */
import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { toExopoolError } from '@exopool/shared';
import { syncFolder } from './sync-folder.js';

/** As `mkdir -p`. New folders are durable. @throws ExopoolError `EXOPOOL_PERMISSION`, `EXOPOOL_NOT_FOUND`, … */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await makePath(resolve(folder));
  } catch (error) {
    throw toExopoolError(error, `cannot create the folder ${folder}`);
  }
}

/** Node's own recursive form never returns in a folder that cannot hold folders, such as /proc. */
async function makePath(path: string): Promise<void> {
  const parent = dirname(path);
  if (!existsSync(parent)) await makePath(parent);
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may create the same path at the same time.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    throw error;
  }
  await syncFolder(parent);
}
