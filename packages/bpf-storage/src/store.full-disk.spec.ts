/** A disk with room for less and less: whatever a store is doing when it is full, nothing is lost, and all goes on later. */
import { readdir, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { ExopoolError } from '@exopool/shared';
import { describe, expect, it } from 'vitest';
import { Store } from './store.js';
import { leftovers } from './testing/folder.js';
import { inTmpfs } from './testing/tmpfs.js';

const pageBytes = 4096;
/** From none to enough for everything below. */
const freePages = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 50, 100, 200];

type Rows = Map<string, string>;

async function expectRows(store: Store, rows: Rows): Promise<void> {
  const keys = [...rows.keys()];
  expect((await store.getMany(keys)).map(String)).toEqual([...rows.values()]);
  expect(await store.aggregate()).toMatchObject({ count: rows.size });
}

/** Leaves `pages` pages of the file system free. */
async function fill(ballast: string, pages: number): Promise<void> {
  await writeFile(ballast, '');
  const { bavail, bsize } = await statfs(ballast);
  await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - pages * pageBytes)));
}

describe('a disk with room for a few pages', () => {
  it('fails what needs more with EXOPOOL_NO_SPACE, and nothing of it is seen', async (context) => {
    const counts = new Map<string, number>();
    const reason = await inTmpfs(8 << 20, async (mounted) => {
      const [folder, ballast] = [join(mounted, 'store'), join(mounted, 'ballast')];
      const rows: Rows = new Map();
      const attempt = async (what: string, work: () => Promise<void>): Promise<boolean> => {
        let outcome = 'done';
        await work().catch((error: unknown) => {
          if (!(error instanceof ExopoolError) || error.code !== 'EXOPOOL_NO_SPACE') throw error;
          outcome = 'refused';
        });
        counts.set(`${what} ${outcome}`, (counts.get(`${what} ${outcome}`) ?? 0) + 1);
        return outcome === 'done';
      };
      let store = await Store.open(folder, { cacheBytes: 0 });
      const write = async (what: string, key: string, value: string, sync = true): Promise<void> => {
        if (await attempt(what, () => store.put(key, value, { sync }))) rows.set(key, value);
      };
      for (const pages of freePages) {
        await write('put', `before ${pages}`, 'x'.repeat(pages * 500));
        await fill(ballast, pages);
        await write('put', `during ${pages}`, 'y'.repeat(3000));
        await attempt('flush', () => store.flush());
        await write('put', `after ${pages}`, 'z'.repeat(1000));
        const loaded = [[`loaded ${pages}`, 'l'.repeat(2000)]] as const;
        if (await attempt('load', () => store.load(loaded).then(() => undefined))) rows.set(...loaded[0]);
        await attempt('compact', () => store.compact());
        const copy = join(mounted, 'copy');
        if (!(await attempt('backup', () => store.backup(copy))))
          expect(await readdir(copy).catch(() => [])).toEqual([]);
        await attempt('second store', async () => {
          const other = await Store.open(join(mounted, 'other'));
          try {
            await other.put('k', 'v');
          } finally {
            await other.close({ discardUnflushed: true });
          }
        });
        await expectRows(store, rows);
        expect(await leftovers(folder)).toEqual([]);
        // Opened again while the disk is full: what was acknowledged is in the log, and reading it back needs no room.
        if (pages % 2 === 0) {
          await store.close({ discardUnflushed: true });
          store = await Store.open(folder, { cacheBytes: 0 });
          await expectRows(store, rows);
        }
        await truncate(ballast);
        for (const made of ['copy', 'other']) await rm(join(mounted, made), { recursive: true, force: true });
        await write('put', `again ${pages}`, 'w');
        expect(rows.has(`again ${pages}`)).toBe(true);
        if (pages % 3 > 0) await store.compact();
        await expectRows(store, rows);
      }
      await store.close();
      store = await Store.open(folder, { readOnly: true });
      await expectRows(store, rows);
      expect(await store.verify()).toMatchObject({ ok: true });
      await store.close();
    });
    skipWithout(context, 'tmpfs', reason);
    console.log([...counts].map(([what, count]) => `${what} ${count}`).join(', '));
    for (const what of ['flush', 'load', 'compact', 'backup', 'second store']) {
      expect(counts.get(`${what} done`)).toBeGreaterThan(0);
      expect(counts.get(`${what} refused`)).toBeGreaterThan(0);
    }
  });
});
