/**
 * Copies a store to a new folder. Tables never change, so they are copied while reads and writes go on. Where the file
 * system shares blocks between files (XFS, Btrfs), the copy takes no space. The manifest is written last: an interrupted
 * copy has none, and cannot be opened.
 */
import { constants } from 'node:fs';
import { copyFile, open, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { throwIfAborted } from '../base/abort.js';
import { makeFolder } from '../base/make-folder.js';
import { emptyManifest, manifestName, switchManifest } from '../tables/manifest.js';
import type { OpenTable } from '../tables/open-table.js';
import { syncFolder } from '../base/sync-folder.js';

/** Copies `tables` to `folder`. @throws ExopoolError `EXOPOOL_INVALID` if `folder` is not empty, `EXOPOOL_NO_SPACE`, `EXOPOOL_ABORTED`, … */
export async function backUp(
  tables: readonly OpenTable[],
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const made: string[] = [];
  try {
    await makeFolder(folder);
    await requireEmpty(folder);
    for (const { path } of tables) {
      throwIfAborted(signal);
      made.push(join(folder, basename(path)));
      await copyDurably(path, made.at(-1)!);
    }
    throwIfAborted(signal);
    const next = 1 + Math.max(0, ...tables.map(({ path }) => Number.parseInt(basename(path), 10)));
    await syncFolder(folder);
    made.push(join(folder, manifestName));
    await switchManifest(folder, { ...emptyManifest, next, tables: tables.map(({ entry }) => entry) });
    await syncFolder(folder);
  } catch (error) {
    // The manifest first: it never names what is not there.
    for (const path of made.toReversed()) await rm(path, { force: true }).catch(() => undefined);
    throw toExopoolError(error, `cannot back up to ${folder}`);
  }
}

async function requireEmpty(folder: string): Promise<void> {
  const [found] = await readdir(folder);
  if (found === undefined) return;
  const message = `${folder} is not empty (${found}); give the backup a folder of its own`;
  throw new ExopoolError('EXOPOOL_INVALID', message);
}

async function copyDurably(path: string, copy: string): Promise<void> {
  await copyFile(path, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const file = await open(copy, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
