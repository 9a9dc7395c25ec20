import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import { expect, it } from 'vitest';
import { Store } from './store.js';
import { inFolder } from './testing/folder.js';

const coded = (code: string) => expect.objectContaining({ code }) as Error;

it('leaves alone what others keep in the folder, whatever it is called', async () => {
  await inFolder(async (folder) => {
    const others = ['tmp-notes.txt', 'tmp-run-of-mine', 'tmp-12.table', 'tmp-MANIFEST.old'];
    for (const name of others) await writeFile(join(folder, name), '');
    await mkdir(join(folder, 'tmp-photos'));
    for (const name of ['tmp-MANIFEST', 'tmp-000007.table', 'tmp-000007.log', 'tmp-run-4711-1'])
      await writeFile(join(folder, name), '');
    await (await Store.open(folder)).close();
    expect((await readdir(folder)).sort()).toEqual(['LOCK', 'MANIFEST', 'tmp-photos', ...others].sort());
  });
});

it('is the same one after the process went to another folder', async () => {
  await inFolder(async (folder) => {
    const before = process.cwd();
    for (const name of ['here', 'there']) await mkdir(join(folder, name));
    const other = await Store.open(join(folder, 'there', 'data'));
    await other.put('key', 'of the other');
    await other.close();
    try {
      process.chdir(join(folder, 'here'));
      const store = await Store.open('data');
      process.chdir(join(folder, 'there'));
      await store.put('key', 'of this one');
      await store.backup('copy');
      await store.close();
    } finally {
      process.chdir(before);
    }
    for (const [path, value] of [
      ['here/data', 'of this one'],
      ['there/data', 'of the other'],
      ['there/copy', 'of this one'],
    ] as const) {
      const store = await Store.open(join(folder, path), { readOnly: true });
      expect((await store.get('key'))?.toString()).toBe(value);
      await store.close();
    }
  });
});

it('is made by one of several that want to make it and all folders above it', async () => {
  await inFolder(async (folder) => {
    const opening = Array.from({ length: 8 }, () => Store.open(join(folder, 'a', 'b', 'c', 'd')));
    const outcomes = (await Promise.allSettled(opening)).map((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as ExopoolError),
    );
    const stores = outcomes.filter((outcome) => outcome instanceof Store);
    await Promise.all(stores.map((store) => store.close()));
    expect(stores).toHaveLength(1);
    for (const refused of outcomes.filter((outcome) => outcome instanceof ExopoolError))
      expect(refused).toEqual(coded('EXOPOOL_LOCKED'));
  });
});

it('refuses what is no path', async () => {
  for (const path of [undefined, 5, '', 'a\0b'] as string[])
    await expect(Store.open(path)).rejects.toEqual(coded('EXOPOOL_INVALID'));
});

it('cannot be copied to where no folder can be made', async () => {
  await inFolder(async (folder) => {
    const store = await Store.open(join(folder, 'store'));
    await expect(store.backup('/proc/copy')).rejects.toEqual(coded('EXOPOOL_NOT_FOUND'));
    await store.close();
  });
});
