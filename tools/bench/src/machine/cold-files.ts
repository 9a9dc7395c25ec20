/** Files and the page cache: sizes, reading files into it, and dropping them from it. */
import { execFile } from 'node:child_process';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { toExopoolError } from '@exopool/shared';

const run = promisify(execFile);
/** A LevelDB with the default file size has a thousand files. dd takes a millisecond for each. */
const dropsAtOnce = 4;
const readBytes = 1 << 20;

/** All files below `folder`. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Space that the files take on disk. */
export async function diskBytes(folder: string): Promise<number> {
  const blocks = await Promise.all((await filesIn(folder)).map(async (file) => (await stat(file)).blocks));
  return blocks.reduce((sum, count) => sum + count * 512, 0);
}

/** Writes back these files and drops them from the page cache. Mapped pages stay. */
export async function dropFromPageCache(folder: string): Promise<void> {
  const script =
    'find "$0" -type f -print0 | xargs -0 -r -P "$1" -I{} ' +
    'dd of={} oflag=nocache conv=notrunc,fdatasync count=0 status=none';
  try {
    await run('sh', ['-c', script, folder, String(dropsAtOnce)]);
  } catch (error) {
    throw toExopoolError(error, `cannot drop ${folder} from the page cache`);
  }
}

/** Reads all files into the page cache, as far as the memory limit permits. */
export async function readIntoPageCache(folder: string): Promise<void> {
  const buffer = Buffer.allocUnsafe(readBytes);
  for (const path of await filesIn(folder)) {
    const file = await open(path);
    try {
      while ((await file.read(buffer, 0, readBytes)).bytesRead > 0);
    } finally {
      await file.close();
    }
  }
}
