/** Loop devices: a file as a block device, where only a block device will do. */
import { execFile } from 'node:child_process';
import { closeSync, existsSync, openSync, ftruncateSync, unlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import type { ChangeRecorder } from './machine-change.js';

const run = promisify(execFile);

/**
 * Makes a sparse file, which takes room as it is written, and a loop device of it.
 * @returns the device's path.
 * @throws ExopoolError `EXOPOOL_INVALID` when the file exists: undoing removes the file, so it must be new.
 */
export async function addLoopDevice(journal: ChangeRecorder, file: string, bytes: number): Promise<string> {
  if (existsSync(file))
    throw new ExopoolError('EXOPOOL_INVALID', `${file} exists already; name a file that does not exist`);
  try {
    journal.record({ kind: 'loop', file });
    const fd = openSync(file, 'wx', 0o600);
    ftruncateSync(fd, bytes);
    closeSync(fd);
    return (await run('losetup', ['--find', '--show', '--', file])).stdout.trim();
  } catch (error) {
    throw toExopoolError(error, `cannot make a loop device of ${file} (root is needed)`);
  }
}

/** Detaches the file's loop device and removes the file. Does nothing when there is neither. */
export async function removeLoopDevice(file: string): Promise<void> {
  if (!existsSync(file)) return;
  const { stdout } = await run('losetup', ['--associated', file, '--noheadings', '--output', 'NAME']);
  for (const device of stdout.split('\n').filter(Boolean)) await run('losetup', ['--detach', device.trim()]);
  unlinkSync(file);
}
