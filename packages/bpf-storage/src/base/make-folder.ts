/** Folders that are made for a store or its copy. */
import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { toExopoolError } from '@exopool/shared';
import { syncFolder } from './sync-folder.js';

/** As `mkdir -p`; what is made is durable. @throws ExopoolError `EXOPOOL_PERMISSION`, `EXOPOOL_NOT_FOUND`, … */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await makePath(resolve(folder));
  } catch (error) {
    throw toExopoolError(error, `cannot make the folder ${folder}`);
  }
}

/** Node's own recursive form never returns where a folder exists but can hold none, as in /proc. */
async function makePath(path: string): Promise<void> {
  const parent = dirname(path);
  if (!existsSync(parent)) await makePath(parent);
  try {
    await mkdir(path);
  } catch (error) {
    // Others may make the same path at the same time.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    throw error;
  }
  await syncFolder(parent);
}
