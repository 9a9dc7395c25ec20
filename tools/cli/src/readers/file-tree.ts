/**
 * A folder as data: every regular file below it, path -> JSON of its size, mode and modification time, with the
 * first KiB of its content where that is text. What cannot be read is passed over: this is sample data, no backup.
 */
import { open, opendir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { KiB, toExopoolError } from '@exopool/shared';
import { EXO_KEY_MAX } from '@exopool/native/contracts';
import type { Entry } from './entry.js';

const contentBytes = KiB;

/** @throws ExopoolError when `folder` itself cannot be read. */
export async function* readFileTree(folder: string): AsyncGenerator<Entry> {
  await opendir(folder)
    .then((directory) => directory.close())
    .catch((error: unknown) => {
      throw toExopoolError(error, `cannot read the folder ${folder}`);
    });
  yield* walk(folder);
}

async function* walk(folder: string): AsyncGenerator<Entry> {
  const directory = await opendir(folder).catch(() => undefined);
  if (directory === undefined) return;
  for await (const entry of directory) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      yield* walk(path);
    } else if (entry.isFile() && Buffer.byteLength(path) <= EXO_KEY_MAX) {
      const value = await describe(path).catch(() => undefined);
      if (value !== undefined) yield [Buffer.from(path), value];
    }
  }
}

async function describe(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size, mode, mtimeMs } = await file.stat();
    const head = await readHead(file);
    const content = head.includes(0) ? undefined : head.toString('utf8');
    return Buffer.from(JSON.stringify({ size, mode, mtimeMs, content }));
  } finally {
    await file.close();
  }
}

async function readHead(file: FileHandle): Promise<Buffer> {
  const head = Buffer.alloc(contentBytes);
  const { bytesRead } = await file.read(head, 0, contentBytes, 0);
  return head.subarray(0, bytesRead);
}
