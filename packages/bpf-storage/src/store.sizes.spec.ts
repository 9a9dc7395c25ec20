/** The smallest and the largest keys and values there may be, through everything that a store can do with them. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXO_KEY_MAX, EXO_VALUE_MAX } from './format/format.js';
import type { Snapshot } from './snapshot.js';
import { Store } from './store.js';
import { inFolder } from './testing/folder.js';
import { availableEngines } from './testing/table.js';

const coded = (code: string) => expect.objectContaining({ code }) as Error;

/** Bytes that differ everywhere, so that a part in a wrong place shows. */
function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, length >> 2);
  for (let index = 0; index < words.length; index += 1) words[index] = Math.imul(index + seed, 0x9e3779b1);
  return bytes;
}

/** Keys that sort as listed; each with a value of another size. */
const rows: readonly (readonly [key: Buffer, value: Buffer])[] = [
  [Buffer.of(0), Buffer.alloc(0)],
  [Buffer.alloc(EXO_KEY_MAX, 0), pattern(EXO_VALUE_MAX, 1)],
  [Buffer.from('a'), pattern(EXO_VALUE_MAX, 2)],
  [Buffer.alloc(EXO_KEY_MAX, 'a'), Buffer.alloc(0)],
  [Buffer.concat([Buffer.alloc(EXO_KEY_MAX - 1, 'a'), Buffer.of(255)]), Buffer.from('v')],
  [Buffer.of(255), pattern(EXO_VALUE_MAX - 1, 3)],
  [Buffer.alloc(EXO_KEY_MAX, 255), Buffer.alloc(1024, 4)],
];
const keys = rows.map(([key]) => key);

/** Reads all rows in every way there is. */
async function expectRows(source: Store | Snapshot, from: number): Promise<void> {
  const expected = rows.slice(from);
  const isRow = (value: Buffer | undefined, index: number): boolean =>
    value?.equals(rows[index]![1]) === true;
  const many = await source.getMany(keys);
  for (const [index, value] of many.entries())
    expect(index < from ? value === undefined : isRow(value, index)).toBe(true);
  for (let index = from; index < rows.length; index += 1)
    expect(isRow(await source.get(keys[index]!), index)).toBe(true);
  for (const reverse of [false, true]) {
    const order = reverse ? expected.toReversed() : expected;
    let at = 0;
    for await (const [key, value] of source.range({ reverse })) {
      expect(key.equals(order[at]![0])).toBe(true);
      expect(value.equals(order[at]![1])).toBe(true);
      at += 1;
    }
    expect(at).toBe(expected.length);
    const found: Buffer[] = [];
    const bounds = { gt: Buffer.alloc(EXO_KEY_MAX, 0), lte: Buffer.of(255) };
    for await (const key of source.range({ ...bounds, reverse, keysOnly: true })) found.push(key);
    const inside = keys.slice(Math.max(2, from), 6);
    expect(Buffer.concat(found).equals(Buffer.concat(reverse ? inside.toReversed() : inside))).toBe(true);
  }
}

describe('keys of 1 and 511 bytes, values of none and 16 MiB', () => {
  it('are what they were after every operation', async () => {
    await inFolder(async (parent) => {
      const folder = join(parent, 'store');
      let store = await Store.open(folder);
      for (const [key, value] of rows) await store.put(key, value);
      await expectRows(store, 0);
      // From the log.
      await store.close({ discardUnflushed: true });
      store = await Store.open(folder);
      await expectRows(store, 0);
      await store.flush();
      for (const engine of availableEngines) {
        store.setEngine(engine);
        await expectRows(store, 0);
      }
      using snapshot = store.snapshot();
      await store.backup(`${folder} copy`);
      await store.batch([
        { type: 'put', key: keys[1]!, value: 'over' },
        { type: 'del', key: keys[0]! },
        { type: 'del', key: keys[1]! },
      ]);
      await expectRows(store, 2);
      await store.flush();
      await expectRows(store, 2);
      await store.compact();
      await expectRows(store, 2);
      await expectRows(snapshot, 0);
      expect(await store.verify()).toMatchObject({ ok: true, entries: rows.length - 2 });
      await store.close();
      store = await Store.open(folder);
      await expectRows(store, 2);
      await store.load(rows.slice(0, 2).toReversed());
      await expectRows(store, 0);
      expect(await store.aggregate({ field: { offset: EXO_VALUE_MAX - 1, type: 'u8' } })).toMatchObject({
        count: rows.length,
        withField: 2,
      });
      await store.close();
      const copy = await Store.open(`${folder} copy`, { readOnly: true });
      await expectRows(copy, 0);
      await copy.close();
    });
  });

  it('are the limits: what is beyond is refused, and nothing of it is written', async () => {
    await inFolder(async (folder) => {
      await using store = await Store.open(folder);
      const [value, long] = [Buffer.alloc(EXO_VALUE_MAX + 1), Buffer.alloc(EXO_KEY_MAX + 1)];
      for (const [key, written] of [
        ['', 'v'],
        [long, 'v'],
        ['k', value],
      ] as const) {
        await expect(store.put(key, written)).rejects.toEqual(coded('EXOPOOL_INVALID'));
        await expect(store.load([[key, written]])).rejects.toEqual(coded('EXOPOOL_INVALID'));
        const operations = [
          { type: 'put', key: 'fine', value: 'v' },
          { type: 'put', key, value: written },
        ] as const;
        await expect(store.batch(operations)).rejects.toEqual(coded('EXOPOOL_INVALID'));
      }
      for (const key of ['', long]) {
        for (const refused of [store.get(key), store.has(key), store.del(key), store.getMany([key])])
          await expect(refused).rejects.toEqual(coded('EXOPOOL_INVALID'));
      }
      expect(await store.aggregate()).toMatchObject({ count: 0 });
      // Bounds may be of any length.
      for await (const key of store.range({ gte: '', lt: Buffer.alloc(2000, 255), keysOnly: true }))
        expect(key).toBeUndefined();
    });
  });
});
