/** Swap in a file on a disk. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { ExopoolError } from '@exopool/shared';
import type { ChangeRecorder } from './machine-change.js';
import { explainSwapError, swapOff, toolOptions } from './swap.js';

const run = promisify(execFile);

/** Files of ours start with this; no other is ever removed. */
const filePrefix = 'exopool-swap-';

/**
 * Makes a file of `bytes` in `folder` and swaps to it, after every area that is there.
 * @returns its path
 * @throws ExopoolError `EXOPOOL_PERMISSION` without root; another where the file system cannot carry swap.
 */
export async function addSwapFile(journal: ChangeRecorder, folder: string, bytes: number): Promise<string> {
  const path = join(folder, `${filePrefix}${randomUUID()}`);
  try {
    journal.record({ kind: 'swap-file', path });
    // Whole: the kernel refuses a file with holes. Nobody else may read what is pushed out.
    await run(
      'sh',
      ['-c', 'umask 077 && exec fallocate --length "$1" "$0"', path, String(bytes)],
      toolOptions,
    );
    await run('mkswap', [path], toolOptions);
    await run('swapon', [path], toolOptions);
    return path;
  } catch (error) {
    throw explainSwapError(error);
  }
}

/** Brings everything back that was swapped there, and removes the file. Does nothing when there is none. */
export async function removeSwapFile(path: string): Promise<void> {
  if (!basename(path).startsWith(filePrefix))
    throw new ExopoolError('EXOPOOL_INVALID', `${path} is not a swap file of ours`);
  await swapOff(path);
  if (existsSync(path)) unlinkSync(path);
}
