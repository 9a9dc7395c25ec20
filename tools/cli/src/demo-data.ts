/** Real data for the demo: a file that the user names, else apt's package index, else the files under /usr. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DemoData } from '@exopool/demo';
import { readEntries, type Entry } from './readers/index.js';

const aptLists = '/var/lib/apt/lists';
const fallbackFolder = '/usr';

/** @throws ExopoolError when `path` is given and cannot be read. */
export async function findDemoData(path: string | undefined): Promise<DemoData> {
  if (path !== undefined) return { name: path, entries: () => readAll([path]) };
  const indexes = await packageIndexes();
  if (indexes.length > 0) {
    return { name: `apt's package index (${aptLists})`, entries: () => readAll(indexes) };
  }
  return { name: `files under ${fallbackFolder}`, entries: () => readAll([fallbackFolder]) };
}

async function packageIndexes(): Promise<string[]> {
  const names = await readdir(aptLists).catch(() => []);
  return names
    .filter((name) => /_Packages(\.(gz|xz|lz4))?$/.test(name))
    .sort()
    .map((name) => join(aptLists, name));
}

async function* readAll(paths: readonly string[]): AsyncGenerator<Entry> {
  for (const path of paths) yield* (await readEntries(path)).entries;
}
