/**
 * The folder of a store: its lock, and the removal of what a crash left.
 *
 *   LOCK            locked (flock) by the writing process; the kernel frees the lock when that process dies
 *   MANIFEST        names the tables, and the first log that counts
 *   000007.table    a table
 *   000009.log      writes that are not in a table yet
 *   tmp-…           an unfinished file of one of these names, or a run of a load; the next writer removes it
 *
 * A table that the manifest does not name is left by a process that died just before or just after it switched the
 * manifest. The next writer removes it too, but only if there is a manifest: without one, tables and logs are data whose
 * manifest was lost.
 */
import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLockFile } from '@exopool/native/internal';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { logNumber } from './log/log-file.js';
import { removeLogs } from './log/logs.js';
import { makeFolder } from './base/make-folder.js';
import {
  emptyManifest,
  isTableName,
  manifestName,
  readManifest,
  switchManifest,
  type Manifest,
} from './tables/manifest.js';
import { isRunName } from './write/external-sort.js';
import { removeTable } from './tables/remove-table.js';
import { syncFolder } from './base/sync-folder.js';
import { temporaryPrefix } from './base/temporary-file.js';

const lockName = 'LOCK';

/** A folder that this process may write to. */
export interface WritableFolder {
  readonly manifest: Manifest;
  /** Closing it frees the lock. */
  readonly lock: FileHandle;
}

/** Reads the manifest. @throws ExopoolError `EXOPOOL_NOT_FOUND`, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`. */
export async function openFolderToRead(folder: string): Promise<Manifest> {
  const manifest = await readManifest(folder);
  if (manifest !== undefined) return manifest;
  throw new ExopoolError(
    'EXOPOOL_NOT_FOUND',
    `there is no store in ${folder}; check the path, or load data into it`,
  );
}

/**
 * Takes the folder for writing: creates it if `createIfMissing`, locks it, removes unfinished files.
 * @throws ExopoolError `EXOPOOL_LOCKED`, `EXOPOOL_NOT_FOUND`, `EXOPOOL_PERMISSION`, `EXOPOOL_CORRUPT`,
 * `EXOPOOL_VERSION`.
 */
export async function openFolderToWrite(folder: string, createIfMissing: boolean): Promise<WritableFolder> {
  if (createIfMissing) await makeFolder(folder);
  else await openFolderToRead(folder);
  const lock = await lockFolder(folder);
  try {
    const manifest = (await readManifest(folder)) ?? (await createManifest(folder));
    await removeLeftovers(folder, manifest);
    return { manifest, lock };
  } catch (error) {
    await lock.close();
    throw toExopoolError(error, `cannot open the store in ${folder}`);
  }
}

async function lockFolder(folder: string): Promise<FileHandle> {
  const lock = await openLock(folder);
  let isLocked = false;
  try {
    isLocked = tryLockFile(lock.fd);
  } finally {
    if (!isLocked) await lock.close();
  }
  if (isLocked) return lock;
  const remedy = 'open it with readOnly: true, or close it there';
  const message = `${folder} is open for writing already, here or in another process; ${remedy}`;
  throw new ExopoolError('EXOPOOL_LOCKED', message);
}

async function openLock(folder: string): Promise<FileHandle> {
  try {
    return await open(join(folder, lockName), 'a');
  } catch (error) {
    throw toExopoolError(error, `cannot write in ${folder}; open the store with readOnly: true`);
  }
}

async function createManifest(folder: string): Promise<Manifest> {
  const data = (await readdir(folder)).find((name) => isTableName(name) || logNumber(name) !== undefined);
  if (data !== undefined) {
    const message = `${folder} has data (${data}) but no MANIFEST; restore MANIFEST, or take another folder`;
    throw new ExopoolError('EXOPOOL_CORRUPT', message);
  }
  await switchManifest(folder, emptyManifest);
  await syncFolder(folder);
  return emptyManifest;
}

async function removeLeftovers(folder: string, manifest: Manifest): Promise<void> {
  const named = new Set(manifest.tables.map(({ file }) => file));
  for (const name of await readdir(folder)) {
    if (isUnfinished(name)) await rm(join(folder, name), { force: true });
    else if (isTableName(name) && !named.has(name)) await removeTable(join(folder, name));
  }
  await removeLogs(folder, manifest.log);
}

/** Whether `name` is that of an unfinished file of a store. Other files in the folder are not touched. */
function isUnfinished(name: string): boolean {
  if (!name.startsWith(temporaryPrefix)) return false;
  const work = name.slice(temporaryPrefix.length);
  return work === manifestName || isTableName(work) || logNumber(work) !== undefined || isRunName(work);
}
