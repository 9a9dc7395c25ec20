/** Ways to see the store other than key by key: prefixes, keys alone, aggregates, snapshots, backups. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NumberField } from './aggregate.js';
import { Store } from './store.js';
import { inFolder } from './testing/folder.js';

const coded = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error;

async function withStore(work: (store: Store, folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (parent) => {
    await using store = await Store.open(join(parent, 'store'));
    await work(store, parent);
  });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('has', () => {
  it('tells what is there', async () => {
    await withStore(async (store) => {
      await store.put('a', '');
      await store.flush();
      await store.put('b', 'x');
      await store.del('b');
      expect(await Promise.all(['a', 'b', 'c'].map((key) => store.has(key)))).toEqual([true, false, false]);
      await expect(store.has('')).rejects.toEqual(coded('EXOPOOL_INVALID'));
    });
  });
});

describe('a range by prefix', () => {
  it('ends where the prefix does, also when its last bytes are 255', async () => {
    await withStore(async (store) => {
      const keys = ['61', '61ff', '61ffff', '61ffff00', '62', 'ff', 'ffff', 'ffff01'].map((hex) =>
        Buffer.from(hex, 'hex'),
      );
      await store.batch(keys.map((key) => ({ type: 'put', key, value: key })));
      const under = async (hex: string): Promise<string[]> =>
        (await all(store.range({ prefix: Buffer.from(hex, 'hex'), keysOnly: true }))).map((key) =>
          key.toString('hex'),
        );
      expect(await under('61')).toEqual(['61', '61ff', '61ffff', '61ffff00']);
      expect(await under('61ff')).toEqual(['61ff', '61ffff', '61ffff00']);
      expect(await under('ff')).toEqual(['ff', 'ffff', 'ffff01']);
      expect(await under('ffff')).toEqual(['ffff', 'ffff01']);
      expect(await under('')).toHaveLength(8);
      expect(() => store.range({ prefix: 'a', gte: 'a' })).toThrow(coded('EXOPOOL_INVALID', 'not both'));
    });
  });
});

describe('a range of keys only', () => {
  it('does not read values outside of the leaves', async () => {
    await withStore(async (store) => {
      await store.load([
        ['a', Buffer.alloc(100_000, 1)],
        ['b', 'small'],
      ]);
      expect((await all(store.range({ keysOnly: true, reverse: true }))).map(String)).toEqual(['b', 'a']);
      expect((await all(store.range({ limit: 1 }))).map(([, value]) => value.length)).toEqual([100_000]);
    });
  });
});

describe('aggregate', () => {
  const fields: [NumberField['type'], number, (bytes: Buffer, value: number) => number][] = [
    ['u8', 200, (bytes, value) => bytes.writeUInt8(value, 3)],
    ['u16le', 60_000, (bytes, value) => bytes.writeUInt16LE(value, 3)],
    ['u32le', 4_000_000_000, (bytes, value) => bytes.writeUInt32LE(value, 3)],
    ['i32le', -7, (bytes, value) => bytes.writeInt32LE(value, 3)],
    ['f32le', 0.5, (bytes, value) => bytes.writeFloatLE(value, 3)],
    ['f64le', -1e300, (bytes, value) => bytes.writeDoubleLE(value, 3)],
  ];

  it.each(fields)('reads %s', async (type, value, write) => {
    await withStore(async (store) => {
      for (const [index, number] of [0, value, 1].entries()) {
        const bytes = Buffer.alloc(11);
        write(bytes, number);
        await store.put(`row ${index}`, bytes);
        if (index === 1) await store.flush();
      }
      await store.put('row short', 'abc');
      expect(await store.aggregate({ prefix: 'row', field: { offset: 3, type } })).toEqual({
        count: 4,
        withField: 3,
        sum: value + 1,
        min: Math.min(0, value),
        max: Math.max(1, value),
      });
      expect(await store.aggregate({ gte: 'row 1' })).toMatchObject({
        count: 3,
        withField: 0,
        min: undefined,
      });
    });
  });

  it('refuses fields that cannot be', async () => {
    await withStore(async (store) => {
      for (const field of [
        { offset: -1, type: 'u8' },
        { offset: 0.5, type: 'u8' },
        { offset: 0, type: 'toString' },
      ]) {
        await expect(store.aggregate({ field: field as NumberField })).rejects.toEqual(
          coded('EXOPOOL_INVALID'),
        );
      }
    });
  });
});

describe('a snapshot', () => {
  it('shows what was there, whatever is written, flushed and compacted since', async () => {
    await withStore(async (store, parent) => {
      await store.load([
        ['a', '1'],
        ['b', '1'],
      ]);
      await store.put('b', '2');
      await store.del('a');
      const snapshot = store.snapshot();
      await store.put('c', '3');
      await store.load([['a', 'loaded']]);
      await store.compact();
      expect((await all(snapshot.range())).map(String)).toEqual(['b,2']);
      expect((await snapshot.getMany(['a', 'b', 'c'])).map((value) => value?.toString())).toEqual([
        undefined,
        '2',
        undefined,
      ]);
      const range = snapshot.range({ keysOnly: true })[Symbol.asyncIterator]();
      await range.next();
      const tables = async (): Promise<number> =>
        (await readdir(join(parent, 'store'))).filter((name) => name.endsWith('.table')).length;
      expect(await tables()).toBe(2);
      snapshot.close();
      snapshot.close();
      await expect(range.next()).rejects.toEqual(coded('EXOPOOL_CLOSED', 'snapshot'));
      await expect.poll(tables).toBe(1);
      await expect(snapshot.get('b')).rejects.toEqual(coded('EXOPOOL_CLOSED', 'snapshot'));
    });
  });

  it('ends with its store', async () => {
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      await store.put('a', '1');
      const snapshot = store.snapshot();
      await store.close();
      await expect(snapshot.get('a')).rejects.toEqual(coded('EXOPOOL_CLOSED', folder));
      expect(() => snapshot.range()).toThrow(coded('EXOPOOL_CLOSED'));
      snapshot.close();
    });
  });
});

describe('a backup', () => {
  it('is a store with what was there, while writes go on', async () => {
    await withStore(async (store, parent) => {
      await store.load(
        Array.from({ length: 3000 }, (_, index) => [`key ${index}`, `value ${index}`] as const),
      );
      await store.del('key 5');
      const copying = store.backup(join(parent, 'copy'));
      await store.put('key 6', 'later');
      await store.compact();
      await copying;
      const copy = await Store.open(join(parent, 'copy'));
      expect(await copy.aggregate()).toMatchObject({ count: 2999 });
      expect(await copy.has('key 5')).toBe(false);
      expect(await copy.verify()).toMatchObject({ ok: true });
      await copy.put('key 5', 'new');
      await copy.compact();
      await copy.close();
      expect(await store.has('key 5')).toBe(false);
    });
  });

  it('leaves nothing behind when it fails', async () => {
    await withStore(async (store, parent) => {
      await store.put('a', '1');
      await writeFile(join(parent, 'file'), '');
      await expect(store.backup(parent)).rejects.toEqual(coded('EXOPOOL_INVALID', 'not empty'));
      await expect(store.backup(join(parent, 'file'))).rejects.toEqual(
        coded('EXOPOOL_IO', 'cannot create the folder'),
      );
      const aborted = store.backup(join(parent, 'copy'), { signal: AbortSignal.abort() });
      await expect(aborted).rejects.toEqual(coded('EXOPOOL_ABORTED'));
      expect(await readdir(join(parent, 'copy'))).toEqual([]);
    });
  });
});
