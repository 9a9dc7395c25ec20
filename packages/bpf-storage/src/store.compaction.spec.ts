/** Several tables: which one a read believes, how they become fewer, and what they cost writers. */
import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { skipWithout } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import type { LoadProgress } from './base/progress-meter.js';
import { Store } from './store.js';
import { inFolder, leftovers } from './testing/folder.js';
import { MapTier } from './testing/map-tier.js';
import { slowTables, stopTables } from './compaction/write-pressure.js';

const coded = (code: string) => expect.objectContaining({ code }) as Error;
const tablesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.table'));

async function withStore(work: (store: Store, folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    await using store = await Store.open(folder, { cacheBytes: 0 });
    await work(store, folder);
  });
}

/** A store with a large oldest table, so that compaction leaves a few small ones above it alone. */
async function withOldTable(work: (store: Store, folder: string) => Promise<void>): Promise<void> {
  await withStore(async (store, folder) => {
    await store.load(
      Array.from({ length: 1000 }, (_, index) => [`key ${index}`, 'old'.repeat(100)] as const),
    );
    await work(store, folder);
  });
}

async function valuesOf(store: Store, keys: readonly string[]): Promise<(string | undefined)[]> {
  const single = await Promise.all(keys.map((key) => store.get(key)));
  const many = await store.getMany(keys);
  expect(many).toEqual(single);
  return many.map((value) => value?.toString().slice(0, 3));
}

async function keysIn(store: Store, options: Parameters<Store['range']>[0]): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key] of store.range(options)) keys.push(key.toString());
  return keys;
}

describe('several tables', () => {
  it('are read from the newest to the oldest, deletions included', async () => {
    await withOldTable(async (store) => {
      await store.put('key 1', 'new');
      await store.del('key 2');
      await store.flush();
      await store.put('key 2x', 'abc');
      await store.del('key 1');
      await store.flush();
      expect(store.stats()).toMatchObject({ tables: 3 });
      const keys = ['key 1', 'key 2', 'key 2x', 'key 3', 'a', 'zzz'];
      expect(await valuesOf(store, keys)).toEqual([undefined, undefined, 'abc', 'old', undefined, undefined]);
      expect(await keysIn(store, { gte: 'key 1', lt: 'key 3', limit: 2 })).toEqual(['key 10', 'key 100']);
      expect(await keysIn(store, { lte: 'key 2x', reverse: true, limit: 2 })).toEqual(['key 2x', 'key 299']);
    });
  });

  it('take a load on top of what was written before it', async () => {
    await withOldTable(async (store) => {
      await store.put('key 1', 'new');
      await store.del('key 2');
      await store.load([['key 2', 'xyz']]);
      expect(await valuesOf(store, ['key 1', 'key 2', 'key 3'])).toEqual(['new', 'xyz', 'old']);
      expect(store.stats()).toMatchObject({ tables: 3, memtableEntries: 0 });
    });
  });

  it('are not asked for keys outside of their range', async () => {
    await withOldTable(async (store) => {
      await store.put('a', '1');
      await store.flush();
      store.setEngine('pread');
      await store.getMany(['a', 'key 5', 'zzz']);
      expect(store.stats().lookupsByEngine.pread).toMatchObject({ lookups: 2, found: 2 });
    });
  });

  it('come back as they were', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      await store.load(
        Array.from({ length: 1000 }, (_, index) => [`key ${index}`, 'old'.repeat(100)] as const),
      );
      await store.del('key 1');
      await store.close();
      for (const readOnly of [true, false]) {
        const reopened = await Store.open(folder, { readOnly });
        expect(reopened.stats()).toMatchObject({ tables: 2, tableEntries: 1001 });
        expect(await valuesOf(reopened, ['key 1', 'key 2'])).toEqual([undefined, 'old']);
        expect(await reopened.verify()).toMatchObject({ ok: true, entries: 1001 });
        await reopened.close();
      }
    });
  });

  it('leave what readers have open, in this process and in others', async () => {
    await withOldTable(async (store, folder) => {
      await store.put('key 1', 'new');
      await store.flush();
      const reader = await Store.open(folder, { readOnly: true, cacheBytes: 0 });
      const range = store.range()[Symbol.asyncIterator]();
      await range.next();
      await store.compact();
      expect(await tablesIn(folder)).toHaveLength(3);
      let count = 1;
      while ((await range.next()).done !== true) count += 1;
      expect(count).toBe(1000);
      await expect.poll(() => tablesIn(folder)).toHaveLength(1);
      expect(await valuesOf(reader, ['key 1', 'key 2'])).toEqual(['new', 'old']);
      await reader.close();
    });
  });
});

describe('compaction', () => {
  it('drops what was overwritten and deleted when it reaches the oldest table', async () => {
    await withOldTable(async (store, folder) => {
      for (let index = 0; index < 500; index += 1) await store.del(`key ${index}`, { sync: false });
      await store.flush();
      const before = store.stats();
      await store.compact();
      const after = store.stats();
      expect(after).toMatchObject({ tables: 1, tableEntries: 500, compactions: 1 });
      expect(after.tableBytes).toBeLessThan(before.tableBytes * 0.6);
      expect(await tablesIn(folder)).toHaveLength(1);
      await store.compact();
      expect(store.stats().compactions).toBe(1);
      for (let index = 500; index < 1000; index += 1) await store.del(`key ${index}`, { sync: false });
      await store.compact();
      expect(store.stats()).toMatchObject({ tables: 0, tableEntries: 0 });
      expect(await tablesIn(folder)).toEqual([]);
    });
  });

  it('keeps tables few while writes go on, and slows writers before it stops them', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder, { memtableBytes: 3000, sync: false });
      const expected = new Map<string, string>();
      let most = 0;
      for (let index = 0; index < 4000; index += 1) {
        const key = `key ${(index * 7919) % 900}`;
        const isDeletion = index % 5 === 0;
        if (isDeletion) {
          expected.delete(key);
          await store.del(key);
        } else {
          expected.set(key, `value ${index}`);
          await store.put(key, `value ${index}`);
        }
        most = Math.max(most, store.stats().tables);
      }
      const { flushes, compactions } = store.stats();
      expect(flushes).toBeGreaterThan(30);
      expect(compactions).toBeGreaterThan(5);
      expect(most).toBeLessThanOrEqual(stopTables);
      const keys = await keysIn(store, {});
      expect(keys).toEqual([...expected.keys()].sort());
      expect((await store.getMany(keys)).map(String)).toEqual(keys.map((key) => expected.get(key)));
      await store.close();
      expect(await leftovers(folder)).toEqual([]);
    });
  });

  it('makes flushes wait when there are too many tables', async () => {
    await withStore(async (store) => {
      for (let index = 0; index < 60; index += 1) {
        await store.put(`key ${index}`, 'x'.repeat(100));
        await store.flush();
        expect(store.stats().tables).toBeLessThanOrEqual(stopTables);
      }
      await expect.poll(() => store.stats().tables).toBeLessThan(slowTables);
      expect(await keysIn(store, {})).toHaveLength(60);
    });
  });

  it('stops when it is told to, and changes nothing then', async () => {
    await withOldTable(async (store, folder) => {
      await store.put('key 1', 'new');
      await store.flush();
      const before = await tablesIn(folder);
      await expect(store.compact({ signal: AbortSignal.abort() })).rejects.toEqual(coded('EXOPOOL_ABORTED'));
      expect(await tablesIn(folder)).toEqual(before);
      expect(await valuesOf(store, ['key 1', 'key 2'])).toEqual(['new', 'old']);
    });
  });

  it('tells how far it is, and stops with what the listener throws', async () => {
    await withOldTable(async (store, folder) => {
      await store.put('key 1', 'new');
      await store.flush();
      const before = await tablesIn(folder);
      const onProgress = ({ phase, entries }: LoadProgress): void => {
        throw new Error(`${phase} ${entries}`);
      };
      await expect(store.compact({ onProgress })).rejects.toThrow('merge 1');
      expect(await tablesIn(folder)).toEqual(before);
      expect(await valuesOf(store, ['key 1', 'key 2'])).toEqual(['new', 'old']);
    });
  });

  it('leaves no old value in a cache or a tier', async () => {
    await inFolder(async (folder) => {
      const tier = new MapTier();
      const store = await Store.open(folder, { cacheTier: tier, memtableBytes: 5000, sync: false });
      const written = new Map<string, number>();
      const write = async (index: number): Promise<void> => {
        const key = `key ${index % 40}`;
        await store.put(key, String(index));
        written.set(key, index);
      };
      const read = async (index: number): Promise<void> => {
        const key = `key ${(index * 7) % 40}`;
        const atLeast = written.get(key) ?? 0;
        expect(Number((await store.get(key))?.toString() ?? 0)).toBeGreaterThanOrEqual(atLeast);
      };
      for (let index = 1; index < 2000; index += 1) {
        await Promise.all([write(index), read(index), read(index + 1)]);
        if (index % 500 === 0) await store.compact();
      }
      expect(store.stats().compactions).toBeGreaterThan(4);
      await store.close();
    });
  });
});

describe('a disk without room to merge', () => {
  it('fails compaction and nothing else', async (context) => {
    await inFolder(async (folder) => {
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2500k', 'tmpfs', folder], { stdio: 'pipe' });
      } catch (error) {
        skipWithout(context, 'tmpfs', `a tmpfs cannot be mounted: ${(error as Error).message}`);
      }
      try {
        const store = await Store.open(folder);
        await store.load(
          Array.from({ length: 1000 }, (_, index) => [`key ${index}`, 'x'.repeat(1000)] as const),
        );
        await store.load(
          Array.from({ length: 900 }, (_, index) => [`key ${index}`, 'y'.repeat(1000)] as const),
        );
        await expect(store.compact()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
        expect(store.stats().compactionsFailed).toBeGreaterThan(0);
        expect(store.stats().tables).toBe(2);
        await store.put('key 1', 'new');
        expect(await valuesOf(store, ['key 1', 'key 2', 'key 950'])).toEqual(['new', 'yyy', 'xxx']);
        expect(await leftovers(folder)).toEqual([]);
        await store.close();
      } finally {
        execFileSync('umount', ['--lazy', folder]);
      }
    });
  });
});
