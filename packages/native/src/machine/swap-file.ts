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

/** Names of our files begin with this. No other file is ever removed. */
const filePrefix = 'exopool-swap-';

/**
 * Makes a file in `folder`, and uses it as swap, after every other area.
 * @returns the file's path.
 * @throws ExopoolError `EXOPOOL_PERMISSION` without root; another code where the file system cannot carry swap.
 */
export async function addSwapFile(journal: ChangeRecorder, folder: string, bytes: number): Promise<string> {
  const path = join(folder, `${filePrefix}${randomUUID()}`);
  try {
    journal.record({ kind: 'swap-file', path });
    // All blocks are allocated: the kernel refuses a file with holes. No other user may read the swapped pages.
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

/** Brings all pages back from the file, and removes it. Does nothing when there is none. */
export async function removeSwapFile(path: string): Promise<void> {
  if (!basename(path).startsWith(filePrefix))
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `${path} is not a swap file of exopool, whose names begin with ${filePrefix}; remove it by hand`,
    );
  await swapOff(path);
  if (existsSync(path)) unlinkSync(path);
}
