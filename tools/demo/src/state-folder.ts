/**
 * The folder of one run of the demo, or of another tool. Its name identifies the process that owns it, so a later run
 * can tell the folder of a killed run from a folder in use.
 *
 *   <base>/exopool-<tool>-<pid>-<start time of the process, clock ticks since boot>/
 */
import { access, constants, mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processIdentity } from '@exopool/native/internal';
import { toExopoolError } from '@exopool/shared';

/** A store must be on a disk, and the usual temporary folder is often in memory. */
export async function stateBase(): Promise<string> {
  if (process.env['TMPDIR'] !== undefined) return process.env['TMPDIR'];
  const onDisk = '/var/tmp';
  return access(onDisk, constants.W_OK).then(
    () => onDisk,
    () => tmpdir(),
  );
}

/** @throws ExopoolError `EXOPOOL_PERMISSION`, `EXOPOOL_NO_SPACE`. */
export async function createStateFolder(base: string, tool = 'demo'): Promise<string> {
  const folder = join(
    base,
    `exopool-${tool}-${process.pid}-${processIdentity(process.pid)?.startTicks ?? 0}`,
  );
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    throw toExopoolError(error, `cannot make the folder ${folder} (TMPDIR names another place)`);
  }
  return folder;
}

/** Removes the folders of runs whose process has ended. @returns their number. */
export async function removeDeadFolders(base: string, tool = 'demo'): Promise<number> {
  const namePattern = new RegExp(`^exopool-${tool}-(\\d+)-(\\d+)$`);
  let removed = 0;
  for (const name of await readdir(base).catch(() => [])) {
    const match = namePattern.exec(name);
    if (match === null || processIdentity(Number(match[1]))?.startTicks === Number(match[2])) continue;
    // Leaves folders of other users alone.
    const isGone = await rm(join(base, name), { recursive: true, force: true }).then(
      () => true,
      () => false,
    );
    if (isGone) removed += 1;
  }
  return removed;
}
