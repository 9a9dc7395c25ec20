import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `work` with a folder of its own, and removes it whatever happens. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'exopool-storage-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Names of unfinished work in a store's folder. */
export async function leftovers(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('tmp-'));
}

/** A copy of what a store's folder has at one moment, as a crash would leave it, while the store goes on. */
export async function copyAtOnce(folder: string, to: string): Promise<void> {
  const manifest = join(folder, 'MANIFEST');
  for (;;) {
    const before = await readFile(manifest, 'utf8');
    try {
      await cp(folder, to, { recursive: true, filter: (path) => !path.includes('tmp-') });
      // Files that count go only after a manifest that does not name them.
      if ((await readFile(manifest, 'utf8')) === before) return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    await rm(to, { recursive: true, force: true });
  }
}
