/** Disks that are full, read-only or failing: nothing acknowledged is lost. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import { Store } from './store.js';
import { withFaults } from './testing/disk-faults.js';
import { inFolder, leftovers } from './testing/folder.js';
import { inTmpfs, isRoot } from './testing/tmpfs.js';

const coded = (code: string) => expect.objectContaining({ code }) as Error;

/** A value that does not compress and does not fit into a leaf. */
const value = (fill: number): Buffer => Buffer.alloc(2000, fill);

async function expectRows(store: Store, count: number): Promise<void> {
  const rows = await store.getMany(Array.from({ length: count }, (_, index) => `key ${index}`));
  for (const [index, row] of rows.entries()) expect(row?.equals(value(index))).toBe(true);
}

describe('a full disk', () => {
  it('fails the flush, the load and the write that needed it; the store goes on, and recovers', async (context) => {
    const reason = await inTmpfs(2 << 20, async (folder) => {
      const store = await Store.open(folder, { memtableBytes: 400_000 });
      for (let index = 0; index < 100; index += 1) await store.put(`key ${index}`, value(index));
      await store.flush();
      await writeFile(join(folder, 'ballast'), Buffer.alloc(1_500_000));
      const before = await readdir(folder);
      let written = 100;
      const fill = async (): Promise<void> => {
        for (; ; written += 1) await store.put(`key ${written}`, value(written));
      };
      await expect(fill()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      await expect(store.flush()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      const entries = Array.from({ length: 900 }, (_, index) => [`load ${index}`, value(index)] as const);
      await expect(store.load(entries)).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      await expect(store.load(entries, { runBytes: 1 << 20 })).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      await expect(store.close()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      const added = (await readdir(folder)).filter((name) => !before.includes(name));
      expect(added.every((name) => name.endsWith('.log'))).toBe(true);
      await expectRows(store, written);
      expect(await store.get(`key ${written}`)).toBeUndefined();
      await rm(join(folder, 'ballast'));
      await store.close();
      const reopened = await Store.open(folder);
      await expectRows(reopened, written);
      expect(await reopened.verify()).toMatchObject({ ok: true, entries: written });
      await reopened.close();
    });
    skipWithout(context, 'tmpfs', reason);
  });

  it('rejects writes while the log has no room, takes them again afterwards, and loses no acknowledged one', async (context) => {
    const reason = await inTmpfs(3 << 20, async (folder) => {
      const store = await Store.open(folder);
      await writeFile(join(folder, 'ballast'), Buffer.alloc(2_600_000));
      const acknowledged = new Set<number>();
      const put = async (index: number): Promise<void> => {
        await store.put(`key ${index}`, value(index), { sync: index % 3 > 0 });
        acknowledged.add(index);
      };
      for (let at = 0; acknowledged.size === at; at += 10) {
        const puts = Array.from({ length: 10 }, (_, index) => put(at + index));
        const failed = (await Promise.allSettled(puts)).filter(({ status }) => status === 'rejected');
        for (const { reason: error } of failed as PromiseRejectedResult[])
          expect(error).toEqual(coded('EXOPOOL_NO_SPACE'));
      }
      await expect(store.put('x', Buffer.alloc(600_000))).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      const check = async (checked: Store): Promise<void> => {
        for (let index = 0; index < 1000; index += 1)
          expect((await checked.get(`key ${index}`))?.length).toBe(
            acknowledged.has(index) ? 2000 : undefined,
          );
        expect(await checked.get('x')).toBeUndefined();
      };
      await check(store);
      await rm(join(folder, 'ballast'));
      await put(900);
      await check(store);
      await store.close({ discardUnflushed: true });
      const reopened = await Store.open(folder);
      await check(reopened);
      await reopened.close();
    });
    skipWithout(context, 'tmpfs', reason);
  });

  it('can be given up on: what is on disk already comes back', async (context) => {
    const reason = await inTmpfs(400_000, async (folder) => {
      const store = await Store.open(folder);
      for (let index = 0; index < 100; index += 1) await store.put(`key ${index}`, value(index));
      await expect(store.close()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      await store.close({ discardUnflushed: true });
      const reopened = await Store.open(folder, { readOnly: true });
      await expectRows(reopened, 100);
      await reopened.close();
    });
    skipWithout(context, 'tmpfs', reason);
  });
});

describe('a disk that fails to sync', () => {
  it('fails the writes that asked for it; the next one puts everything acknowledged into a table first', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      await store.put('a', '1');
      await store.put('b', '2', { sync: false });
      await withFaults(
        (fault) => fault === 'sync',
        async () => {
          await expect(store.put('a', 'lost')).rejects.toEqual(coded('EXOPOOL_IO'));
        },
      );
      expect((await store.getMany(['a', 'b'])).map(String)).toEqual(['1', '2']);
      expect(store.stats()).toMatchObject({ tables: 0 });
      await store.put('c', '3');
      expect(store.stats()).toMatchObject({ tables: 1, tableEntries: 2 });
      await store.close({ discardUnflushed: true });
      const reopened = await Store.open(folder);
      expect((await reopened.getMany(['a', 'b', 'c'])).map(String)).toEqual(['1', '2', '3']);
      await reopened.close();
    });
  });
});

describe('a folder that fails to sync', () => {
  /** The first sync is the new table's, the second follows the switch of MANIFEST. */
  const failingFrom = async (first: 1 | 2, work: () => Promise<void>): Promise<void> => {
    let syncs = 0;
    await withFaults(
      (fault) => fault === 'folder' && (syncs += 1) >= first,
      () => expect(work()).rejects.toEqual(coded('EXOPOOL_IO')),
    );
  };

  it('keeps what the MANIFEST on disk may name until a later sync succeeds, and no longer', async () => {
    await inFolder(async (folder) => {
      const tableFiles = async (): Promise<number> =>
        (await readdir(folder)).filter((name) => name.endsWith('.table')).length;
      const store = await Store.open(folder);
      // Of unlike sizes, so that nothing merges them in the background.
      await store.load(Array.from({ length: 50 }, (_, index) => [`key ${index}`, value(index)] as const));
      await store.put('key 50', value(50));
      await store.flush();
      const tables = async (): Promise<number[]> => [store.stats().tables, await tableFiles()];
      await failingFrom(1, () => store.compact());
      expect(await tables()).toEqual([2, 2]);
      await failingFrom(2, () => store.compact());
      expect(await tables()).toEqual([1, 3]);
      await store.put('key 51', value(51));
      await failingFrom(1, () => store.flush());
      expect(await tables()).toEqual([1, 3]);
      await expectRows(store, 52);
      await store.put('key 52', value(52));
      await store.flush();
      expect(await tables()).toEqual([2, 2]);
      await expectRows(store, 53);
      await failingFrom(2, () => store.compact());
      await store.close();
      expect(await tableFiles()).toBe(3);
      const reopened = await Store.open(folder);
      expect(await tableFiles()).toBe(1);
      await expectRows(reopened, 53);
      await reopened.close();
    });
  });
});

describe('a limit on the size of files', () => {
  it('fails the flush, and the next one succeeds when the limit is lifted', async (context) => {
    const limit = (bytes: string): void => {
      execFileSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:`], { stdio: 'pipe' });
    };
    try {
      limit('unlimited');
    } catch (error) {
      skipWithout(context, 'util-linux', `prlimit cannot run: ${(error as Error).message}`);
    }
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      for (let index = 0; index < 300; index += 1) await store.put(`key ${index}`, value(index));
      limit('200000');
      try {
        await expect(store.flush()).rejects.toEqual(coded('EXOPOOL_IO'));
      } finally {
        limit('unlimited');
      }
      expect(await leftovers(folder)).toEqual([]);
      await expectRows(store, 300);
      await store.close();
      const reopened = await Store.open(folder, { readOnly: true });
      await expectRows(reopened, 300);
      await reopened.close();
    });
  });
});

it('a folder that cannot be made is an error, also where mkdir has no end', async () => {
  await expect(Store.open('/proc/store')).rejects.toEqual(coded('EXOPOOL_NOT_FOUND'));
});

describe('a second writer', () => {
  it('is refused while the first one lives, in another process too, and let in once it is dead', async () => {
    await inFolder(async (folder) => {
      const script = `
        import { Store } from '@exopool/bpf-storage';
        const store = await Store.open(process.argv[1]);
        await store.put('key 0', Buffer.alloc(2000, 0));
        console.log('written');
        setInterval(() => undefined, 1000);
      `;
      const words = ['--input-type=module', '--eval', script, folder];
      const cwd = new URL('..', import.meta.url);
      const first = spawn(process.execPath, words, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
      const exited = once(first, 'exit');
      try {
        await once(first.stdout, 'data');
        for (let attempt = 0; attempt < 3; attempt += 1)
          await expect(Store.open(folder)).rejects.toEqual(coded('EXOPOOL_LOCKED'));
        const reader = await Store.open(folder, { readOnly: true });
        await expectRows(reader, 1);
        await reader.close();
      } finally {
        first.kill('SIGKILL');
        await exited;
      }
      const second = await Store.open(folder);
      await expectRows(second, 1);
      await second.close();
    });
  });
});

describe('a read-only folder', () => {
  it('is refused to a writer and open to a reader', async (context) => {
    const check = async (folder: string): Promise<void> => {
      await expect(Store.open(folder)).rejects.toEqual(coded('EXOPOOL_PERMISSION'));
      const reader = await Store.open(folder, { readOnly: true });
      await expectRows(reader, 10);
      await reader.close();
    };
    const fill = async (folder: string): Promise<void> => {
      const store = await Store.open(folder);
      for (let index = 0; index < 10; index += 1) await store.put(`key ${index}`, value(index));
      await store.close();
    };
    if (isRoot) {
      const reason = await inTmpfs(2 << 20, async (folder) => {
        await fill(folder);
        execFileSync('mount', ['-o', 'remount,ro', folder]);
        await check(folder);
      });
      skipWithout(context, 'tmpfs', reason);
    } else {
      await inFolder(async (parent) => {
        const folder = join(parent, 'store');
        await mkdir(folder);
        await fill(folder);
        await rm(join(folder, 'LOCK'));
        await chmod(folder, 0o555);
        try {
          await check(folder);
        } finally {
          await chmod(folder, 0o755);
        }
      });
    }
  });
});
