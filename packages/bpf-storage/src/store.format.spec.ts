/** The files of a store are what the documents say, those of older programs stay readable, and newer ones are refused. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Store } from './store.js';
import {
  readLogByDocument,
  readManifestByDocument,
  readTableByDocument,
  type Found,
} from './testing/by-document.js';
import { inFolder } from './testing/folder.js';

const golden = async (name: string): Promise<Buffer> =>
  gunzipSync(
    Buffer.from(await readFile(new URL(`./testing/${name}.gz.b64`, import.meta.url), 'latin1'), 'base64'),
  );

const goldenManifest =
  '{"format":"exopool-store","version":2,"next":13,"log":31,"tables":[{"file":"000012.table","id":"0123456789abcdef",' +
  '"entries":42,"bytes":24576,"smallest":"7061636b61676520303030","largest":"71"}],"checksum":"38f2f511"}\n';

/** A store made of golden files: the table of 42 entries, and a log over it. */
async function makeGolden(folder: string): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'MANIFEST'), goldenManifest);
  await writeFile(join(folder, '000012.table'), await golden('golden-v2.table'));
  await writeFile(join(folder, '000031.log'), await golden('golden.log'));
}

const texts = (found: Found): [string, string | undefined][] =>
  found.map(([key, value]) => [key.toString('latin1'), value?.toString('latin1')]);

async function contentOf(store: Store): Promise<[string, string | undefined][]> {
  const entries: [string, string | undefined][] = [];
  for await (const [key, value] of store.range())
    entries.push([key.toString('latin1'), value.toString('latin1')]);
  return entries;
}

describe('the golden files', () => {
  it('are read as what they were written', async () => {
    await inFolder(async (parent) => {
      const folder = join(parent, 'store');
      await makeGolden(folder);
      const inTable = new Map(texts(readTableByDocument(await golden('golden-v2.table')).entries));
      const { frames, ...header } = readLogByDocument(await golden('golden.log'));
      expect(header).toEqual({ id: 0xfedcba9876543210n, number: 31, previous: 30, previousEnd: 4096 });
      expect(frames.map(({ offset, mark }) => [offset, mark])).toEqual([
        [48, 48],
        [104, 104],
        [176, 104],
      ]);
      expect(frames.map(({ operations }) => texts(operations))).toEqual([
        [['first', 'of the log']],
        [
          ['package 000', 'replaced'],
          ['q', undefined],
        ],
        [['package removed', 'is back']],
      ]);
      for (const { operations } of frames)
        for (const [key, value] of texts(operations)) inTable.set(key, value);
      const expected = [...inTable]
        .filter(([, value]) => value !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      for (const readOnly of [true, false]) {
        const store = await Store.open(folder, { readOnly });
        expect(await contentOf(store)).toEqual(expected);
        expect(await store.verify()).toMatchObject({ ok: true });
        await store.close();
      }
    });
  });
});

describe('the files that a store writes', () => {
  it('are read by readers made from the documents', async () => {
    await inFolder(async (folder) => {
      const rows = new Map<string, string>();
      const store = await Store.open(folder);
      for (let index = 0; index < 2000; index += 1) {
        const key = `${String(index >> 3).padStart(5, '0')}${'/'.repeat(400)}${index & 7}`;
        rows.set(key, 'v'.repeat(index % 97 === 0 ? 1500 + index : index % 50));
      }
      await store.load([...rows].map(([key, value]) => [Buffer.from(key, 'latin1'), value] as const));
      const [deleted] = rows.keys();
      await store.del(deleted!);
      await store.flush();
      await store.batch([
        { type: 'put', key: 'in the log', value: 'put' },
        { type: 'del', key: 'nothing' },
      ]);
      await store.put('one', Buffer.alloc(3000, '1'));
      await store.close({ discardUnflushed: true });

      const manifest = readManifestByDocument(await readFile(join(folder, 'MANIFEST')));
      const names = (await readdir(folder)).sort();
      const log = names.find((name) => name.endsWith('.log'))!;
      const tables = manifest.tables.map(({ file }) => file);
      expect(names).toEqual([...tables, 'LOCK', 'MANIFEST', log].sort());
      const [newer, older] = await Promise.all(
        manifest.tables.map(async ({ file, id, entries, bytes, smallest, largest }) => {
          const content = await readFile(join(folder, file));
          const table = readTableByDocument(content);
          expect(table.id.toString(16).padStart(16, '0')).toBe(id);
          expect([table.entries.length, content.length]).toEqual([entries, bytes]);
          expect(table.entries[0]![0].toString('hex')).toBe(smallest);
          expect(table.entries.at(-1)![0].toString('hex')).toBe(largest);
          return texts(table.entries);
        }),
      );
      expect(newer).toEqual([[deleted, undefined]]);
      expect(older).toEqual([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
      const { number, frames } = readLogByDocument(await readFile(join(folder, log)));
      expect([number, `${String(number).padStart(6, '0')}.log`]).toEqual([manifest.log, log]);
      expect(frames.map(({ operations }) => texts(operations))).toEqual([
        [
          ['in the log', 'put'],
          ['nothing', undefined],
        ],
        [['one', '1'.repeat(3000)]],
      ]);
      // Each was synced before the next was written.
      expect(frames.map(({ mark }) => mark)).toEqual(frames.map(({ offset }) => offset));
    });
  });
});

describe('a file of a newer version', () => {
  it.each([
    ['MANIFEST', (bytes: Buffer) => Buffer.from(bytes.toString().replace('"version":2', '"version":3'))],
    ['000012.table', (bytes: Buffer) => withVersion(bytes, 4)],
    ['000031.log', (bytes: Buffer) => withVersion(bytes, 2)],
  ])('is refused with its name, and not touched (%s)', async (name, change) => {
    await inFolder(async (parent) => {
      const folder = join(parent, 'store');
      await makeGolden(folder);
      const path = join(folder, name);
      const newer = change(await readFile(path));
      await writeFile(path, newer);
      const before = await readdir(folder);
      for (const readOnly of [true, false]) {
        const opening = Store.open(folder, { readOnly });
        await expect(opening).rejects.toMatchObject({
          code: 'EXOPOOL_VERSION',
          message: expect.stringContaining(path) as string,
        });
      }
      expect((await readFile(path)).equals(newer)).toBe(true);
      expect((await readdir(folder)).filter((found) => found !== 'LOCK')).toEqual(before);
    });
  });
});

/** Tables and logs have their version in the same place, and not under their checksum. */
function withVersion(bytes: Buffer, version: number): Buffer {
  const newer = Buffer.from(bytes);
  newer.writeUInt32LE(version, 8);
  return newer;
}
