/**
 * Damage anywhere in a store's files: a read gives what was written, or an error with code, file and offset. It never
 * gives a wrong value, and `verify` finds all that counts.
 *
 * What does not count: the zeroes that fill the last page of an out-of-line value, those between two frames of a
 * log, the line feed of MANIFEST when it becomes another white space, and a table's version 2 when it becomes 1,
 * which reads the same. And one thing cannot be told from a crash: the last frame of the last log.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import { Store } from './store.js';
import { engineFor, Tally, whereItShows, withByte, withBytes, type Rows } from './testing/damage.js';
import { inFolder } from './testing/folder.js';
import { availableEngines } from './testing/table.js';

const isLong = process.env['EXOPOOL_TEST_ALL'] === '1';
const timeout = isLong ? 3_600_000 : 600_000;
const pageBytes = 4096;
const blockBytes = 512;

/** In the short form, the start and the end of each page, where its structure is, and each 61st byte between. */
function isTried(at: number): boolean {
  const inPage = at % pageBytes;
  return isLong || inPage < 96 || inPage >= pageBytes - 32 || at % 61 === 0;
}

/** Another byte than the one there; each bit changes in some of the cases. */
const flipped = (byte: number, at: number): number => byte ^ (((at * 197) % 255) + 1);

const [small, large] = [Buffer.alloc(1500, 'small'), Buffer.alloc(5000, 'large')];

/** Two tables, one with deletions, and a log over them. @returns its content, the newest first: without the last frame too. */
async function makeStore(folder: string): Promise<Rows[]> {
  const rows = new Map<string, Buffer | undefined>();
  await using store = await Store.open(folder);
  const put = async (key: string, value: Buffer): Promise<void> => {
    rows.set(key, value);
    await store.put(key, value);
  };
  const del = async (key: string): Promise<void> => {
    rows.set(key, undefined);
    await store.del(key);
  };
  for (let index = 0; index < 60; index += 1) await put(`key ${index}`, Buffer.alloc(index * 5, index));
  await put('large', large);
  await put('small', small);
  await store.flush();
  for (let index = 0; index < 10; index += 1) await put(`key ${index * 3}`, Buffer.from(`new ${index}`));
  for (let index = 0; index < 5; index += 1) await del(`key ${index * 3 + 1}`);
  await store.flush();
  for (let index = 0; index < 4; index += 1) await put(`log ${index}`, Buffer.from(`logged ${index}`));
  await del('key 30');
  rows.set('never', undefined);
  const before = new Map([...rows, ['last', undefined]] as const);
  await put('last', Buffer.from('the last frame'));
  await store.close({ discardUnflushed: true });
  return [rows, before];
}

describe('a damaged store', () => {
  let folder = '';
  let rows: Rows[] = [];
  let files: { readonly table: string; readonly newer: string; readonly log: string };
  let finish = (): void => undefined;
  let finished: Promise<void>;

  beforeAll(async () => {
    await new Promise<void>((ready, failed) => {
      finished = inFolder(async (made) => {
        folder = join(made, 'store');
        rows = await makeStore(folder);
        const [table, newer, ...more] = (await readdir(folder))
          .filter((name) => name.endsWith('.table'))
          .sort();
        const log = (await readdir(folder)).find((name) => name.endsWith('.log'));
        expect([table, newer, log, ...more].map((name) => name !== undefined)).toEqual([true, true, true]);
        files = { table: table!, newer: newer!, log: log! };
        const end = new Promise<void>((end) => (finish = end));
        ready();
        await end;
      });
      finished.catch(failed);
    });
  });
  afterAll(async () => {
    finish();
    await finished;
  });

  it('is right while it is not damaged', async () => {
    for (const index of availableEngines.keys())
      expect(await whereItShows(folder, files.log, rows.slice(0, 1), engineFor(index))).toBe('nowhere');
  });

  /** Flips bytes of `file` one after the other. @returns the tally, and the places that nothing noticed. */
  async function flipEach(
    file: string,
    contents: readonly Rows[],
  ): Promise<{ tally: Tally; unnoticed: number[] }> {
    const path = join(folder, file);
    const intact = await readFile(path);
    const tally = new Tally();
    const unnoticed: number[] = [];
    for (let at = 0; at < intact.length; at += 1) {
      if (file.endsWith('.table') && !isTried(at)) continue;
      const options = { readOnly: true, ...engineFor(at) };
      const place = await withByte(path, at, flipped(intact[at]!, at), () =>
        whereItShows(folder, file, contents, options),
      );
      tally.add(place);
      if (place === 'nowhere') unnoticed.push(at);
    }
    console.log(`bytes flipped in ${file}: ${String(tally)}`);
    return { tally, unnoticed };
  }

  it('shows each flipped byte of a table, but for padding', { timeout }, async () => {
    for (const file of [files.table, files.newer]) {
      const bytes = await readFile(join(folder, file));
      const padding = new Set<number>();
      for (const value of [small, large]) {
        const start = bytes.indexOf(value);
        if (start < 0) continue;
        for (let at = start + value.length; at % pageBytes !== 0; at += 1) padding.add(at);
      }
      const { tally, unnoticed } = await flipEach(file, rows.slice(0, 1));
      const version = 8;
      expect(unnoticed.filter((at) => !padding.has(at) && at !== version)).toEqual([]);
      expect(tally.of('open')).toBeGreaterThan(50);
      expect(tally.of('read')).toBeGreaterThan(100);
    }
  });

  it('shows each flipped byte of a log, but for padding and the last frame', { timeout }, async () => {
    const { log } = files;
    const bytes = await readFile(join(folder, log));
    const lastFrame = bytes.indexOf('lastthe last frame') - 40;
    const { tally, unnoticed } = await flipEach(log, rows);
    const counted = unnoticed.filter((at) => at < lastFrame);
    expect(counted.filter((at) => bytes[at] !== 0 || at % 8 === 0)).toEqual([]);
    expect(counted.length).toBeLessThan(6 * 8);
    expect(tally.of('open')).toBeGreaterThan(250);
  });

  it('shows each flipped byte of MANIFEST, and none of LOCK', { timeout }, async () => {
    const { unnoticed } = await flipEach('MANIFEST', rows.slice(0, 1));
    const bytes = await readFile(join(folder, 'MANIFEST'));
    expect(unnoticed.every((at) => at === bytes.length - 1)).toBe(true);
    const place = await withBytes(join(folder, 'LOCK'), Buffer.from('x'), () =>
      whereItShows(folder, 'LOCK', rows.slice(0, 1), {}),
    );
    expect(place).toBe('nowhere');
  });

  it('shows where a file was cut or has grown', { timeout }, async () => {
    for (const file of [files.table, files.newer, 'MANIFEST', files.log]) {
      const path = join(folder, file);
      const intact = await readFile(path);
      const tally = new Tally();
      const step = file === files.log ? 8 : isLong ? 64 : blockBytes;
      const ends = Array.from({ length: Math.ceil(intact.length / step) }, (_, index) => index * step);
      const cases = [intact.length - 1, ...ends].map((end) => intact.subarray(0, end));
      if (file !== files.log) cases.push(Buffer.concat([intact, intact.subarray(0, pageBytes)]));
      for (const [index, bytes] of cases.entries()) {
        const options = { readOnly: true, ...engineFor(index) };
        const places = withBytes(path, bytes, () => whereItShows(folder, file, cutRows(file), options));
        tally.add(await places);
      }
      console.log(`cuts of ${file}: ${String(tally)}`);
      // A log that was cut is what a crash leaves, unless a header is missing.
      if (file !== files.log) expect(tally.of('open')).toBe(cases.length - (file === 'MANIFEST' ? 1 : 0));
    }
  });

  /** What a cut log may leave: its writes up to some point. */
  function cutRows(file: string): Rows[] {
    if (file !== files.log) return rows.slice(0, 1);
    const contents = [...rows];
    for (const key of ['key 30', 'log 3', 'log 2', 'log 1', 'log 0']) {
      const value = key === 'key 30' ? Buffer.alloc(150, 30) : undefined;
      contents.push(new Map([...contents.at(-1)!, [key, value] as const]));
    }
    return contents;
  }

  it('shows where two blocks of a table changed places', { timeout }, async () => {
    for (const file of [files.table, files.newer]) {
      const path = join(folder, file);
      const intact = await readFile(path);
      const blocks = Math.floor(intact.length / blockBytes);
      const tally = new Tally();
      for (let first = 0; first < blocks; first += 1) {
        for (let second = first + 1; second < blocks; second += 1) {
          if (!isLong && file === files.table && (first * 31 + second) % 7 > 0) continue;
          const bytes = swapBlocks(intact, first, second);
          if (bytes.equals(intact)) continue;
          const options = { readOnly: true, ...engineFor(second) };
          const place = await withBytes(path, bytes, () => whereItShows(folder, file, rows, options));
          tally.add(place);
          expect(place).not.toBe('nowhere');
        }
      }
      console.log(`blocks of ${blockBytes} B swapped in ${file}: ${String(tally)}`);
    }
  });

  it('shows where a file is gone, or another one has its name', { timeout }, async () => {
    const named = [files.table, files.newer, files.log, 'MANIFEST'];
    for (const file of named) {
      const path = join(folder, file);
      const intact = await readFile(path);
      for (const other of named.filter((name) => name !== file)) {
        const bytes = await readFile(join(folder, other));
        const check = () => whereItShows(folder, file, rows.slice(0, 1), { readOnly: true });
        expect(await withBytes(path, bytes, check)).toBe('open');
      }
      // Without its last log a store is what it was before; nothing else names that.
      if (file === files.log) continue;
      await rm(path);
      for (const readOnly of [true, false]) {
        const code = expect.stringMatching(/^EXOPOOL_(NOT_FOUND|CORRUPT)$/) as string;
        const message = expect.stringContaining(file === 'MANIFEST' ? folder : path) as string;
        await expect(Store.open(folder, { readOnly })).rejects.toMatchObject({ code, message });
      }
      await writeFile(path, intact);
    }
    expect(await whereItShows(folder, files.log, rows.slice(0, 1), { readOnly: true })).toBe('nowhere');
  });

  it('that is open already is found by verify', { timeout }, async () => {
    const tally = new Tally();
    const store = await Store.open(folder, { readOnly: true, cacheBytes: 0, direct: false });
    for (const file of [files.table, files.newer]) {
      const path = join(folder, file);
      const intact = await readFile(path);
      for (let at = 0; at < intact.length; at += isLong ? 7 : 97) {
        const report = await withByte(path, at, flipped(intact[at]!, at), () => store.verify());
        for (const problem of report.problems) expect(problem).toMatchObject({ file: path });
        tally.add(report.ok ? 'nowhere' : 'verify');
        if (!report.ok)
          expect(Math.floor(report.problems[0]!.offset / pageBytes)).toBeLessThanOrEqual(at / pageBytes);
        else expect(intact[at]).toBe(0);
      }
    }
    await store.close();
    console.log(`bytes flipped under an open store: ${String(tally)}`);
    expect(tally.of('nowhere')).toBeLessThan(tally.of('verify') / 3);
  });

  it('is refused to a writer as to a reader, and loses nothing by that', { timeout }, async () => {
    for (const file of [files.table, files.newer, 'MANIFEST', files.log]) {
      const path = join(folder, file);
      const intact = await readFile(path);
      for (const at of [0, 9, 17, 30, 41]) {
        await withByte(path, at, flipped(intact[at]!, at), async () => {
          await expect(Store.open(folder)).rejects.toMatchObject({
            code: expect.stringMatching(/^EXOPOOL_(CORRUPT|VERSION)$/) as string,
            message: expect.stringContaining(path) as string,
          });
        });
      }
    }
    expect(await whereItShows(folder, files.log, rows.slice(0, 1), { readOnly: true })).toBe('nowhere');
  });
});

function swapBlocks(intact: Buffer, first: number, second: number): Buffer {
  const bytes = Buffer.from(intact);
  intact.copy(bytes, first * blockBytes, second * blockBytes, (second + 1) * blockBytes);
  intact.copy(bytes, second * blockBytes, first * blockBytes, (first + 1) * blockBytes);
  return bytes;
}

describe('a damaged store of several levels', () => {
  it('shows a flipped byte or a lost block anywhere', { timeout }, async () => {
    await inFolder(async (parent) => {
      const folder = join(parent, 'store');
      const rows = new Map<string, Buffer>();
      // Long keys that share little: a high tree of few entries.
      for (let index = 0; index < 1200; index += 1) {
        const key = `${String(index >> 3).padStart(5, '0')}${'/'.repeat(400)}${index & 7}`;
        rows.set(key, Buffer.alloc(index % 97 === 0 ? 1500 : index % 50, index));
      }
      {
        await using store = await Store.open(folder);
        await store.load(rows);
      }
      const file = (await readdir(folder)).find((name) => name.endsWith('.table'))!;
      const path = join(folder, file);
      const intact = await readFile(path);
      const tally = new Tally();
      const cases = isLong ? 3000 : 60;
      for (let index = 0; index < cases; index += 1) {
        // Spread over the file without a pattern: multiples of an irrational share.
        const at = Math.floor(((index * 0.618_033_988_7) % 1) * intact.length);
        const options = { readOnly: true, ...engineFor(index) };
        const check = () => whereItShows(folder, file, [rows], options);
        const block = Math.floor(at / blockBytes) * blockBytes;
        const lost = Buffer.from(intact).fill(0, block, block + blockBytes);
        const place =
          index % 4 === 0
            ? await withBytes(path, lost, check)
            : await withByte(path, at, flipped(intact[at]!, at), check);
        tally.add(place);
        // Zeroes that are no part of anything: the end of a value's last page, or free space that was zero before.
        if (place === 'nowhere' && index % 4 > 0) expect(intact[at]).toBe(0);
        if (place === 'nowhere' && index % 4 === 0)
          expect(lost.equals(intact) || isPadding(intact, block)).toBe(true);
      }
      console.log(`bytes flipped and blocks lost in a table of ${intact.length} B: ${String(tally)}`);
      expect(tally.of('read') + tally.of('open')).toBeGreaterThan(cases / 2);
    });
  });
});

const isPadding = (bytes: Buffer, block: number): boolean =>
  bytes.subarray(block, block + blockBytes).every((byte) => byte === 0);
