import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import { valueBytesMax } from './index.js';
import type { LoadProgress } from './base/progress-meter.js';
import { Store } from './store.js';
import { inFolder, leftovers } from './testing/folder.js';
import { MapTier } from './testing/map-tier.js';
import { support } from './testing/table.js';
import type { BatchOperation } from './write/write.js';

const coded = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error;

async function withStore(work: (store: Store, folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const store = await Store.open(folder);
    try {
      await work(store, folder);
    } finally {
      await store.close();
    }
  });
}

function* numbered(count: number, value = 'value'): Generator<[string, string]> {
  for (let index = 0; index < count; index += 1) yield [`key ${index}`, `${value} ${index}`];
}

describe('misuse', () => {
  it.each([
    ['an empty key', '', '1 to 511'],
    ['a key of 512 bytes', 'k'.repeat(512), '1 to 511'],
    ['a number', 7, 'not number'],
    ['null', null, 'not null'],
    ['nothing', undefined, 'not undefined'],
    ['an object', { length: 3 }, 'not object'],
  ])('refuses %s as a key', async (_, key, message) => {
    await withStore(async (store) => {
      const bad = key as string;
      const invalid = coded('EXOPOOL_INVALID', message);
      await expect(store.get(bad)).rejects.toEqual(invalid);
      await expect(store.getMany(['a', bad])).rejects.toEqual(invalid);
      await expect(store.put(bad, 'v')).rejects.toEqual(invalid);
      await expect(store.del(bad)).rejects.toEqual(invalid);
      await expect(store.load([[bad, 'v']])).rejects.toEqual(invalid);
      const batch: BatchOperation[] = [
        { type: 'put', key: 'a', value: 'v' },
        { type: 'del', key: bad },
      ];
      await expect(store.batch(batch)).rejects.toEqual(invalid);
      expect(await store.get('a')).toBeUndefined();
    });
  });

  it('refuses values that are none, or longer than 16 MiB', async () => {
    await withStore(async (store) => {
      for (const value of [7, null, undefined, { length: 2 }, Buffer.alloc(valueBytesMax + 1)]) {
        await expect(store.put('a', value as string)).rejects.toEqual(coded('EXOPOOL_INVALID', 'value'));
      }
      expect(await store.get('a')).toBeUndefined();
    });
  });

  it('takes keys of 1 and 511 bytes, values of 0 bytes and of 16 MiB', async () => {
    await withStore(async (store) => {
      const keys = ['k', 'k'.repeat(511)];
      await store.put(keys[0]!, '');
      await store.put(keys[1]!, Buffer.alloc(valueBytesMax, 7));
      for (let round = 0; round < 2; round += 1) {
        const [empty, large] = await store.getMany(keys);
        expect(empty!.length).toBe(0);
        expect(large!.equals(Buffer.alloc(valueBytesMax, 7))).toBe(true);
        await store.flush();
      }
    });
  });

  it('refuses what is no list of keys, operations or entries', async () => {
    const refused = coded('EXOPOOL_INVALID');
    for (const keyEncoding of ['buffer', 'utf8'] as const) {
      await inFolder(async (folder) => {
        const store = await Store.open(folder, { keyEncoding });
        const snapshot = store.snapshot();
        for (const given of [undefined, null, 5, 'text', {}] as never[]) {
          for (const call of [store.getMany(given), snapshot.getMany(given), store.batch(given)])
            await expect(call).rejects.toEqual(refused);
          await expect(store.load(given)).rejects.toEqual(refused);
          await expect(store.batch([given])).rejects.toEqual(refused);
        }
        snapshot.close();
        await store.close();
      });
    }
  });

  it('refuses options out of range', async () => {
    await inFolder(async (folder) => {
      for (const options of [
        { cacheBytes: -1 },
        { cacheBytes: NaN },
        { memtableBytes: 0 },
        { engine: 'x' as 'auto' },
      ]) {
        await expect(Store.open(folder, options)).rejects.toEqual(coded('EXOPOOL_INVALID'));
      }
      const store = await Store.open(folder);
      for (const options of [
        { limit: -1 },
        { limit: 1.5 },
        { gt: 'a', gte: 'b' },
        { lt: 'a', lte: 'b' },
        { gt: 3 as never },
      ]) {
        expect(() => store.range(options)).toThrow(coded('EXOPOOL_INVALID'));
      }
      expect(() => store.setEngine('x' as 'auto')).toThrow(coded('EXOPOOL_INVALID'));
      await expect(store.batch([{ type: 'get' as 'del', key: 'a' }])).rejects.toEqual(
        coded('EXOPOOL_INVALID', '"put"'),
      );
      await expect(store.load([], { runBytes: 10 })).rejects.toEqual(coded('EXOPOOL_INVALID', 'runBytes'));
      await expect(store.load([7 as never])).rejects.toEqual(coded('EXOPOOL_INVALID', '[key, value]'));
      await store.close();
    });
  });

  it('is not harmed by callers that change their buffers', async () => {
    await withStore(async (store) => {
      const key = Buffer.from('key');
      const value = Buffer.from('value');
      await store.put(key, value);
      key.fill('x');
      value.fill('x');
      for (let round = 0; round < 3; round += 1) {
        const found = await store.get('key');
        expect(found?.toString()).toBe('value');
        found!.fill('y');
        for await (const pair of store.range()) pair.forEach((bytes) => bytes.fill('z'));
        await store.flush();
      }
    });
  });

  it('refuses every call after close', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      await store.put('a', '1');
      const range = store.range()[Symbol.asyncIterator]();
      await range.next();
      await store.close();
      await store.close();
      const closed = coded('EXOPOOL_CLOSED', folder);
      await expect(store.get('a')).rejects.toEqual(closed);
      await expect(store.getMany(['a'])).rejects.toEqual(closed);
      await expect(store.put('a', '1')).rejects.toEqual(closed);
      await expect(store.del('a')).rejects.toEqual(closed);
      await expect(store.batch([])).rejects.toEqual(closed);
      await expect(store.flush()).rejects.toEqual(closed);
      await expect(store.load([])).rejects.toEqual(closed);
      await expect(store.verify()).rejects.toEqual(closed);
      await expect(range.next()).rejects.toEqual(closed);
      for (const call of [
        () => store.range(),
        () => store.stats(),
        () => store.setCacheTier(undefined),
        () => store.setEngine('auto'),
      ]) {
        expect(call).toThrow(closed);
      }
    });
  });
});

describe('opening', () => {
  it('lets one writer in and any number of readers, who keep what they opened', async () => {
    await inFolder(async (folder) => {
      const writer = await Store.open(folder);
      await writer.put('a', '1');
      await writer.flush();
      await expect(Store.open(folder)).rejects.toEqual(coded('EXOPOOL_LOCKED', 'readOnly: true'));
      const reader = await Store.open(folder, { readOnly: true, cacheBytes: 0 });
      await writer.put('a', '2');
      await writer.flush();
      expect((await reader.get('a'))?.toString()).toBe('1');
      expect(await reader.verify()).toMatchObject({ ok: true, entries: 1 });
      for (const write of [reader.put('a', '3'), reader.del('a'), reader.flush(), reader.load([])]) {
        await expect(write).rejects.toEqual(coded('EXOPOOL_INVALID', 'readOnly'));
      }
      await reader.close();
      const second = await Store.open(folder, { readOnly: true });
      expect((await second.get('a'))?.toString()).toBe('2');
      await second.close();
      await writer.close();
      await (await Store.open(folder)).close();
    });
  });

  it('gives readers what is in the logs, while a writer writes and flushes', async () => {
    await inFolder(async (folder) => {
      const writer = await Store.open(folder, { memtableBytes: 20_000 });
      const writing = { count: 0, isOver: false };
      const written = (async () => {
        for (; !writing.isOver; writing.count += 1)
          await writer.put(`key ${writing.count}`, 'x'.repeat(1000));
      })();
      for (let round = 0; round < 20 || writer.stats().flushes < 2; round += 1) {
        const atLeast = writing.count;
        const reader = await Store.open(folder, { readOnly: true });
        const keys = Array.from({ length: atLeast }, (_, index) => `key ${index}`);
        const values = await reader.getMany(keys);
        expect(values.filter((value) => value?.length === 1000).length).toBe(atLeast);
        await reader.close();
      }
      writing.isOver = true;
      await written;
      await writer.close();
    });
  });

  it('flushes while it replays when the logs hold more than a memtable may', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      for (const [key, value] of numbered(500)) await store.put(key, value, { sync: false });
      for (const [key] of numbered(400)) await store.put(key, 'new', { sync: false });
      await store.close({ discardUnflushed: true });
      for (let round = 0; round < 2; round += 1) {
        const reopened = await Store.open(folder, { memtableBytes: 20_000 });
        expect(reopened.stats().tables).toBeGreaterThan(0);
        expect(reopened.stats().tables).toBeLessThanOrEqual(20);
        expect(reopened.stats().memtableBytes).toBeLessThan(8000);
        const values = await reopened.getMany([...numbered(500)].map(([key]) => key));
        const expected = [...numbered(500)].map(([, value], index) => (index < 400 ? 'new' : value));
        expect(values.map(String)).toEqual(expected);
        await reopened.close({ discardUnflushed: true });
      }
    });
  });

  it('says what is missing', async () => {
    await inFolder(async (folder) => {
      const missing = join(folder, 'none');
      await expect(Store.open(missing, { readOnly: true })).rejects.toEqual(
        coded('EXOPOOL_NOT_FOUND', missing),
      );
      await expect(Store.open(missing, { createIfMissing: false })).rejects.toEqual(
        coded('EXOPOOL_NOT_FOUND', missing),
      );
      expect(await readdir(folder)).toEqual([]);
      await writeFile(missing, '');
      await expect(Store.open(missing)).rejects.toEqual(coded('EXOPOOL_IO', missing));
    });
  });

  it('refuses a folder whose table or manifest is missing, damaged, or too new', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      await store.put('a', '1');
      await store.close();
      const [manifest, table] = [join(folder, 'MANIFEST'), join(folder, '000001.table')];
      const [manifestBytes, tableBytes] = [await readFile(manifest), await readFile(table)];
      const refusal = async (code: string, path: string): Promise<void> => {
        await expect(Store.open(folder)).rejects.toEqual(coded(code, path));
        await expect(Store.open(folder, { readOnly: true })).rejects.toEqual(coded(code, path));
      };
      await rm(table);
      await refusal('EXOPOOL_NOT_FOUND', table);
      const newer = Buffer.from(tableBytes);
      newer.writeUInt32LE(4, 8);
      await writeFile(table, newer);
      await refusal('EXOPOOL_VERSION', table);
      await writeFile(table, tableBytes.subarray(0, 4096));
      await refusal('EXOPOOL_CORRUPT', table);
      await writeFile(table, tableBytes);
      await writeFile(manifest, '{}');
      await refusal('EXOPOOL_CORRUPT', manifest);
      await rm(manifest);
      await expect(Store.open(folder)).rejects.toEqual(coded('EXOPOOL_CORRUPT', 'no MANIFEST'));
      await writeFile(manifest, manifestBytes);
      expect((await (await Store.open(folder, { readOnly: true })).get('a'))?.toString()).toBe('1');
    });
  });

  it('refuses a table of another store under the right name', async () => {
    await inFolder(async (folder) => {
      for (const name of ['a', 'b']) {
        const store = await Store.open(join(folder, name));
        await store.put(name, '1');
        await store.close();
      }
      await writeFile(join(folder, 'a/000001.table'), await readFile(join(folder, 'b/000001.table')));
      await expect(Store.open(join(folder, 'a'))).rejects.toEqual(coded('EXOPOOL_CORRUPT', 'MANIFEST'));
    });
  });

  it('removes unfinished work and tables that no manifest names, nothing else', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      await store.put('a', '1');
      await store.close();
      for (const name of ['tmp-run-1', 'tmp-000002.table', '000009.table', 'notes.txt'])
        await writeFile(join(folder, name), '');
      await (await Store.open(folder, { readOnly: true })).close();
      expect((await readdir(folder)).length).toBe(7);
      await (await Store.open(folder)).close();
      expect((await readdir(folder)).sort()).toEqual(['000001.table', 'LOCK', 'MANIFEST', 'notes.txt']);
    });
  });

  it('refuses a forced engine that cannot run, with the reason', async (context) => {
    const refused = support.find(({ available }) => !available);
    skipWithout(context, 'missing-engine', refused === undefined ? 'every engine can run here' : undefined);
    await inFolder(async (folder) => {
      const opening = Store.open(folder, { engine: refused!.engine });
      await expect(opening).rejects.toEqual(coded('EXOPOOL_UNSUPPORTED', refused!.reason));
      expect(await readdir(folder)).toEqual([]);
    });
  });
});

describe('writing', () => {
  it('waits for a flush when the memtable is full', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder, { memtableBytes: 4000 });
      await Promise.all([...numbered(500)].map(([key, value]) => store.put(key, value)));
      expect(store.stats().flushes).toBeGreaterThan(5);
      expect(store.stats().memtableBytes).toBeLessThan(20_000);
      expect(await store.getMany([...numbered(500)].map(([key]) => key))).toEqual(
        [...numbered(500)].map(([, value]) => Buffer.from(value)),
      );
      await store.close();
    });
  });

  it('flushes when it is disposed of', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      await store.put('a', '1');
      await store[Symbol.asyncDispose]();
      const reopened = await Store.open(folder, { readOnly: true });
      expect((await reopened.get('a'))?.toString()).toBe('1');
      await reopened.close();
    });
  });
});

describe('range', () => {
  it('shows what was there when it began, though everything is replaced meanwhile', async () => {
    await withStore(async (store) => {
      await store.load(numbered(2000));
      await store.put('key 0', 'unflushed');
      const seen: string[] = [];
      for await (const [key, value] of store.range({ limit: 1500 })) {
        if (seen.length === 1) {
          await store.load(numbered(2000, 'new'));
          await store.del('key 1999');
          await store.flush();
        }
        seen.push(`${key.toString()} ${value.toString()}`);
      }
      expect(seen.length).toBe(1500);
      expect(seen[0]).toBe('key 0 unflushed');
      expect(seen.slice(1).every((line) => line.includes(' value '))).toBe(true);
    });
  });

  it('ends when aborted', async () => {
    await withStore(async (store) => {
      await store.load(numbered(100));
      const abort = new AbortController();
      const range = store.range({ signal: abort.signal })[Symbol.asyncIterator]();
      await range.next();
      abort.abort();
      await expect(range.next()).rejects.toEqual(coded('EXOPOOL_ABORTED'));
    });
  });
});

describe('load', () => {
  it('reports its progress and result', async () => {
    await withStore(async (store) => {
      await store.put('key 5', 'older');
      const progress: LoadProgress[] = [];
      const result = await store.load(numbered(20_000), {
        runBytes: 1 << 20,
        onProgress: (p) => void progress.push(p),
      });
      expect(result).toMatchObject({ loaded: 20_000, entries: 20_000 });
      expect(result.runs).toBeGreaterThanOrEqual(2);
      expect(progress.findLast(({ phase }) => phase === 'read')).toMatchObject({ entries: 20_000 });
      expect(progress.at(-1)).toMatchObject({ phase: 'merge', entries: 20_000 });
      expect((await store.get('key 5'))?.toString()).toBe('value 5');
    });
  });

  it('that fails in any phase leaves the store as it was, and nothing behind', async () => {
    await withStore(async (store, folder) => {
      await store.load(numbered(10));
      await store.put('key 3', 'unflushed');
      const abort = new AbortController();
      async function* failing(): AsyncGenerator<[string, string]> {
        yield* numbered(30_000, 'new');
        await Promise.resolve();
        throw new Error('the input broke');
      }
      const stopAt = (phase: LoadProgress['phase'], stop: () => void) => (progress: LoadProgress) => {
        if (progress.phase === phase) stop();
      };
      const throwing = (): never => {
        throw new Error('the callback broke');
      };
      const options = { runBytes: 1 << 20, signal: abort.signal };
      await expect(store.load(failing(), { runBytes: 1 << 20 })).rejects.toThrow('the input broke');
      for (const phase of ['read', 'merge'] as const) {
        const loading = store.load(numbered(30_000, 'new'), {
          runBytes: 1 << 20,
          onProgress: stopAt(phase, throwing),
        });
        await expect(loading).rejects.toThrow('the callback broke');
      }
      const aborting = store.load(numbered(30_000, 'new'), {
        ...options,
        onProgress: stopAt('merge', () => abort.abort()),
      });
      await expect(aborting).rejects.toEqual(coded('EXOPOOL_ABORTED'));
      await expect(store.load(numbered(1), options)).rejects.toEqual(coded('EXOPOOL_ABORTED'));
      expect(await leftovers(folder)).toEqual([]);
      expect((await store.getMany(['key 3', 'key 4'])).map(String)).toEqual(['unflushed', 'value 4']);
      await store.compact();
      expect(store.stats()).toMatchObject({ loads: 1, tables: 1, tableEntries: 10 });
    });
  });

  it('replaces what the caches hold', async () => {
    await withStore(async (store) => {
      const tier = new MapTier();
      store.setCacheTier(tier);
      await store.load(numbered(50));
      await store.getMany([...numbered(20)].map(([key]) => key));
      await expect.poll(() => tier.map.size).toBe(20);
      await store.load(numbered(10, 'new'));
      expect(tier.map.size).toBe(10);
      expect((await store.get('key 7'))?.toString()).toBe('new 7');
      expect((await store.get('key 17'))?.toString()).toBe('value 17');
      expect(store.stats().readsByTier).toMatchObject({ store: 21, remote: 1 });
    });
  });

  it('leaves later writes in force', async () => {
    await withStore(async (store) => {
      let writing: Promise<void> | undefined;
      await store.load(numbered(1000, 'loaded'), {
        onProgress: ({ phase }) => {
          if (phase === 'merge') writing ??= store.put('key 5', 'written');
        },
      });
      await writing;
      expect((await store.get('key 5'))?.toString()).toBe('written');
      await store.flush();
      expect((await store.get('key 5'))?.toString()).toBe('written');
    });
  });
});

describe('stats', () => {
  it('count reads by tier and lookups by engine, tables that were replaced included', async () => {
    await withStore(async (store, folder) => {
      await store.load(numbered(100));
      store.setEngine('pread');
      await store.getMany(['key 1', 'key 2', 'key 2x', 'none']);
      await store.getMany(['key 1', 'key 2x']);
      await store.put('key 1', 'x');
      await store.get('key 1');
      await store.compact();
      const stats = store.stats();
      expect(stats.readsByTier).toEqual({ memtable: 1, memory: 1, remote: 0, store: 2, missing: 3 });
      expect(stats.lookupsByEngine.pread).toMatchObject({ lookups: 2, found: 2, notFound: 0 });
      expect(stats.index).toMatchObject({ rows: 1, noTable: 3, filterNegatives: 2, tablesWithoutFilter: 0 });
      expect(stats).toMatchObject({
        path: folder,
        engine: 'pread',
        tables: 1,
        tableEntries: 100,
        writes: 1,
        flushes: 1,
      });
      store.setEngine('auto');
      expect(store.stats().engine).toMatch(/^auto → (pread|io-uring|page-cache-bpf)$/);
      expect(await leftovers(folder)).toEqual([]);
    });
  });
});
