import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needs, skipWithout } from '@exopool/house';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TableFile, type TableFileOptions } from './table-file.js';
import { tableEngineSupport } from './engine-support.js';
import type { TableEngine } from './table-engine.js';
import { buildTable, type Entry, type FixtureOptions } from '../testing/table.js';

let folder: string;
let files = 0;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-table-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(bytes: Buffer): string {
  const file = path.join(folder, `${(files += 1)}.table`);
  writeFileSync(file, bytes);
  return file;
}

function openTable(
  entries: Iterable<Entry>,
  fixture?: FixtureOptions,
  options?: TableFileOptions,
): TableFile {
  return TableFile.open(write(buildTable(entries, fixture)), options);
}

/** Keys that share prefixes, some of them prefixes of others. */
const keys = fc
  .tuple(
    fc.constantFrom('', 'a', 'ab', 'user:', 'user:0000', 'x'.repeat(300)),
    fc.uint8Array({ minLength: 1, maxLength: 200 }),
  )
  .map(([prefix, rest]) => Buffer.concat([Buffer.from(prefix), rest]));
const longKeys = fc.uint8Array({ minLength: 1, maxLength: 511 }).map((bytes) => Buffer.from(bytes));
const values = fc
  .tuple(fc.oneof({ weight: 4, arbitrary: fc.nat(120) }, fc.nat(5000)), fc.nat(255))
  .map(([length, fill]) => Buffer.alloc(length, fill));
const cells = fc.oneof({ weight: 5, arbitrary: values }, fc.constant(null));
const tables = fc.uniqueArray(fc.tuple(fc.oneof({ weight: 3, arbitrary: keys }, longKeys), cells), {
  maxLength: 300,
  selector: ([key]) => key.toString('hex'),
});

/** Each key, and keys just before and just after it. */
function around(key: Buffer): Buffer[] {
  const before = Buffer.from(key);
  before[key.length - 1]! -= 1;
  const candidates = [key, before, key.subarray(0, key.length - 1), Buffer.concat([key, Buffer.alloc(1)])];
  return candidates.filter((candidate) => candidate.length <= 511);
}

const support = tableEngineSupport();

describe.each(support)('lookups by $engine', ({ engine, reason }) => {
  it('gives what a Map gives, for keys that are there, before, after and between', async (ctx) => {
    skipWithout(ctx, engine, reason);
    const shapes = fc.record({
      entries: tables,
      slotsPerPage: fc.constantFrom(4, 12, 338),
      direct: fc.boolean(),
      cacheInterior: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ entries, slotsPerPage, ...options }) => {
        const table = openTable(entries, { slotsPerPage }, options);
        const text = (value: Buffer | null | undefined) =>
          value === null ? 'deleted' : value?.toString('hex');
        const model = new Map(entries.map(([key, value]) => [key.toString('hex'), text(value)]));
        const wanted = entries
          .flatMap(([key]) => around(key))
          .concat(Buffer.alloc(0), Buffer.alloc(511, 0xff));
        const results = await table.lookupMany(wanted, engine);
        expect(results.map(text)).toEqual(wanted.map((key) => model.get(key.toString('hex'))));
        table.close();
      }),
      { numRuns: 200 },
    );
  });

  it('counts what it does, and refuses what it cannot', async (ctx) => {
    skipWithout(ctx, engine, reason);
    const entries = Array.from({ length: 3000 }, (_, i): Entry => [
      Buffer.from(`key${i}`),
      Buffer.alloc(i % 50 === 0 ? 1025 + i : i % 30, i),
    ]);
    const table = openTable(entries, { slotsPerPage: 20 }, { direct: true });
    const wanted = entries.flatMap(([key]) => [key, Buffer.concat([key, Buffer.from('-')])]);
    const batch = await table.lookupMany(wanted, engine);
    expect(batch.filter((_, i) => i % 2 === 0)).toEqual(entries.map(([, value]) => value));
    expect(table.counters(engine)).toMatchObject({ lookups: 6000, found: 3000, notFound: 3000 });
    const tooLong = table.lookupMany([Buffer.alloc(512)], engine);
    await expect(tooLong).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
    table.close();
    await expect(table.lookupMany(wanted, engine)).rejects.toMatchObject({ code: 'EXOPOOL_CLOSED' });
  });

  it('serves many calls of all sizes at once, from several tables', async (ctx) => {
    skipWithout(ctx, engine, reason);
    const entries = Array.from({ length: 2000 }, (_, i): Entry => [
      Buffer.from(`key${i}`),
      Buffer.alloc(90, i),
    ]);
    const file = write(buildTable(entries));
    const tables = Array.from({ length: 70 }, (_, i) => TableFile.open(file, { direct: i % 2 === 0 }));
    const counts = tables.flatMap((table, i) => [1, 7, 100 + i].map((count) => ({ table, count })));
    const calls = [...counts, { table: tables[0]!, count: 2000 }].map(async ({ table, count }) => {
      const some = entries.slice(-count);
      const keys = some.map(([key]) => key);
      const values = await table.lookupMany(keys, engine);
      return values.every((value, i) => value?.equals(some[i]![1]!));
    });
    expect(new Set(await Promise.all(calls))).toEqual(new Set([true]));
    for (const table of tables) table.close();
  });

  it('reads values of 16 MiB, several at a time', async (ctx) => {
    skipWithout(ctx, engine, reason);
    const value = Buffer.alloc(16 << 20, 'large');
    const entries = Array.from({ length: 6 }, (_, i): Entry => [Buffer.from(`key${i}`), value]);
    const table = openTable(entries, {}, { direct: true });
    const keys = entries.map(([key]) => key);
    const found = await table.lookupMany(keys, engine);
    expect(found.every((bytes) => bytes?.equals(value))).toBe(true);
    table.close();
    rmSync(table.path);
  });

  it(
    'reads a file system without direct I/O',
    needs('shm', existsSync('/dev/shm') ? undefined : 'there is no /dev/shm'),
    async (ctx) => {
      skipWithout(ctx, engine, reason);
      const inMemory = mkdtempSync('/dev/shm/exopool-table-');
      try {
        const entries = Array.from({ length: 500 }, (_, i): Entry => [
          Buffer.from(`key${i}`),
          Buffer.alloc(2000, i),
        ]);
        writeFileSync(path.join(inMemory, 'table'), buildTable(entries));
        const table = TableFile.open(path.join(inMemory, 'table'), { direct: true });
        const keys = entries.map(([key]) => key);
        expect(await table.lookupMany(keys, engine)).toEqual(entries.map(([, value]) => value));
        table.close();
      } finally {
        rmSync(inMemory, { recursive: true });
      }
    },
  );

  it('counts what it did', async (ctx) => {
    skipWithout(ctx, engine, reason);
    const entries = Array.from({ length: 1000 }, (_, i): Entry => [
      Buffer.from(`key${i}`),
      Buffer.from(`${i}`),
    ]);
    const table = openTable(entries, { slotsPerPage: 10 });
    await table.lookupMany([Buffer.from('key7'), Buffer.from('nothing'), Buffer.from('key999')], engine);
    const counters = table.counters(engine);
    expect(table.header).toMatchObject({ height: 3, entries: 1000, leafPages: 100 });
    expect(counters).toMatchObject({ lookups: 3, found: 2, notFound: 1, hops: 9 });
    expect(counters.returned).toEqual({ bound: 0, corrupt: 0, io: 0, stale: 0, straddle: 0 });
    expect(counters.pagesVerified).toBeGreaterThan(0);
    expect(counters.bytesRead).toBeGreaterThan(0);
    table.close();
  });

  it('says so when the file shrinks while it is open', async (ctx) => {
    skipWithout(ctx, engine, reason);
    const entries = Array.from({ length: 2000 }, (_, i): Entry => [
      Buffer.from(`key${i}`),
      Buffer.alloc(100),
    ]);
    const table = openTable(entries, {}, { cacheInterior: false });
    truncateSync(table.path, 4096);
    const lookup = table.lookupMany([Buffer.from('key5')], engine);
    await expect(lookup).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
    table.close();
  });

  it('finishes lookups in flight when the table is closed, and refuses later ones', async (ctx) => {
    skipWithout(ctx, engine, reason);
    const entries = Array.from({ length: 5000 }, (_, i): Entry => [
      Buffer.from(`key${i}`),
      Buffer.from(`${i}`),
    ]);
    const table = openTable(entries);
    const flights = Array.from({ length: 20 }, () =>
      table.lookupMany(
        entries.map(([key]) => key),
        engine,
      ),
    );
    table.close();
    table.close();
    for (const results of await Promise.all(flights))
      expect(results).toEqual(entries.map(([, value]) => value));
    await expect(table.lookupMany([Buffer.from('a')], engine)).rejects.toMatchObject({
      code: 'EXOPOOL_CLOSED',
    });
    expect(() => table.counters(engine)).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_CLOSED' }) as Error,
    );
  });
});

describe('a table file', () => {
  it('without entries has nothing to find', async () => {
    const table = openTable([]);
    expect(table.header).toMatchObject({ height: 0, root: 0, entries: 0, fileSize: 4096 });
    for (const { engine, available } of support) {
      if (available) expect(await table.lookupMany([Buffer.from('a')], engine)).toEqual([undefined]);
    }
    expect(table.residentShare()).toBeGreaterThanOrEqual(0);
    table.close();
  });

  it('refuses engines that cannot run, with the reason', async () => {
    const table = openTable([[Buffer.from('a'), Buffer.from('b')]]);
    for (const { engine, available, reason } of support) {
      if (available) continue;
      const lookup = table.lookupMany([Buffer.from('a')], engine);
      await expect(lookup).rejects.toMatchObject({ code: 'EXOPOOL_UNSUPPORTED' });
      await expect(lookup).rejects.toThrow(reason);
    }
    table.close();
  });

  it('gives its pages, checked and unchecked', async () => {
    const bytes = buildTable([[Buffer.from('a'), Buffer.alloc(9000, 7)]]);
    const table = TableFile.open(write(bytes), { direct: true });
    expect(await table.readPage(table.header.root)).toEqual(bytes.subarray(table.header.root));
    expect(await table.readPages(4096, 3)).toEqual(bytes.subarray(4096, 4 * 4096));
    await expect(table.readPage(4096)).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
    for (const [offset, count] of [
      [-4096, 1],
      [1, 1],
      [0, 0],
      [0, 6],
      [4096, 1.5],
      [NaN, 1],
      [2 ** 60, 1],
    ] as const) {
      await expect(table.readPages(offset, count)).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
    }
    expect(table.residentShare(3)).toBeLessThanOrEqual(1);
    expect(() => table.residentShare(0)).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_INVALID' }) as Error,
    );
    table.close();
  });

  it('refuses misuse', async () => {
    const table = openTable([[Buffer.from('a'), Buffer.from('b')]]);
    const misuse: [unknown, unknown][] = [
      [[Buffer.alloc(512)], 'pread'],
      [['a'], 'pread'],
      [[undefined], 'pread'],
      [new Array<Buffer>(65_537).fill(Buffer.alloc(1)), 'pread'],
      [[Buffer.from('a')], 'cache'],
    ];
    for (const [keys, engine] of misuse) {
      const call = table.lookupMany(keys as Buffer[], engine as TableEngine);
      await expect(call).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
    }
    expect(await table.lookupMany([], 'pread')).toEqual([]);
    table.close();
  });

  it('is refused when it is not there, of a newer version, no table, or cut short', () => {
    const bytes = buildTable([[Buffer.from('a'), Buffer.alloc(9000)]]);
    const code = (file: string): unknown => {
      try {
        TableFile.open(file).close();
        return undefined;
      } catch (error) {
        expect((error as Error).message).toContain(file);
        return (error as { code: string }).code;
      }
    };
    expect(code(path.join(folder, 'missing'))).toBe('EXOPOOL_NOT_FOUND');
    expect(code(folder)).toBe('EXOPOOL_CORRUPT');
    expect(code(write(buildTable([], { version: 1 })))).toBeUndefined();
    expect(code(write(buildTable([], { version: 4 })))).toBe('EXOPOOL_VERSION');
    expect(() => TableFile.open(write(buildTable([], { version: 7 })))).toThrow(
      /table version 7, this one reads 3/,
    );
    expect(code(write(Buffer.alloc(0)))).toBe('EXOPOOL_CORRUPT');
    expect(code(write(Buffer.alloc(8192)))).toBe('EXOPOOL_CORRUPT');
    expect(code(write(bytes.subarray(0, bytes.length - 4096)))).toBe('EXOPOOL_CORRUPT');
    expect(code(write(bytes.subarray(0, bytes.length - 1)))).toBe('EXOPOOL_CORRUPT');
    expect(code(write(Buffer.concat([bytes, Buffer.alloc(4096)])))).toBe('EXOPOOL_CORRUPT');
  });
});
