import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeBatch, type BatchEntry } from '../testing/entry-batch.js';
import { Memtable } from './memtable.js';
import { SortedRun } from './sorted-run.js';
import { TableFile } from './table-file.js';
import { filterMiss } from './table-filter.js';
import { TableWrite, type TableWriteOptions } from './table-job.js';
import { scanBatches, scanTotals, type ScanRange, type ScanSources } from './table-scan.js';

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-table-job-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = (): TableWriteOptions => {
  files += 1;
  return { path: path.join(folder, `${files}.table`), tableId: BigInt(files), createdMs: 0, durable: false };
};

async function writeTable(sources: ScanSources, more: Partial<TableWriteOptions> = {}): Promise<TableFile> {
  const settings = { ...options(), ...more };
  await new TableWrite(sources, settings).done;
  return TableFile.open(settings.path);
}

function memtableOf(entries: readonly BatchEntry[]): Memtable {
  const memtable = new Memtable();
  memtable.apply(encodeBatch(entries), entries.length, 1);
  return memtable;
}

function runOf(entries: readonly BatchEntry[]): SortedRun {
  const run = new SortedRun();
  run.add(encodeBatch(entries));
  return run;
}

/** Sorted entries, of equal keys the one of the first list. */
function merge(...newestFirst: (readonly BatchEntry[])[]): BatchEntry[] {
  const merged = new Map(
    newestFirst.toReversed().flatMap((list) => list.map((entry) => [entry[0].toString('latin1'), entry])),
  );
  return [...merged.values()].sort(([a], [b]) => Buffer.compare(a, b));
}

async function collect(sources: ScanSources, range: ScanRange = {}): Promise<BatchEntry[]> {
  const found: BatchEntry[] = [];
  for await (const batch of scanBatches(sources, range, () => undefined)) found.push(...batch);
  return found;
}

const key = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[abc]{1,4}$/).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.integer({ min: 490, max: 511 }).map((length) => Buffer.alloc(length, 'k')) },
);
const value = fc
  .tuple(fc.constantFrom(0, 3, 30, 1024, 1025, 4097), fc.nat(255))
  .map(([length, fill]) => Buffer.alloc(length, fill));
const entries = fc.array(fc.tuple(key, fc.option(value, { freq: 6 })), { maxLength: 60 });
const bound = fc.option(fc.record({ key, inclusive: fc.boolean() }), { nil: undefined });
const range: fc.Arbitrary<ScanRange> = fc.record({
  lower: bound,
  upper: bound,
  reverse: fc.boolean(),
  limit: fc.constantFrom(1, 3, Infinity),
});

function within(all: readonly BatchEntry[], { lower, upper, reverse, limit }: ScanRange): BatchEntry[] {
  const inside = all.filter(([name, stored]) => {
    const above = lower === undefined ? 1 : Buffer.compare(name, lower.key);
    const below = upper === undefined ? -1 : Buffer.compare(name, upper.key);
    const isIn = (order: number, end: ScanRange['lower']) =>
      order > 0 || (order === 0 && end?.inclusive === true);
    return stored !== null && isIn(above, lower) && isIn(-below, upper);
  });
  return (reverse === true ? inside.reverse() : inside).slice(0, limit);
}

describe('TableWrite', () => {
  it('merges memtables, runs and tables, and scans and lookups find the newest of each key', async () => {
    await fc.assert(
      fc.asyncProperty(
        entries,
        entries,
        entries,
        fc.array(range, { maxLength: 6 }),
        async (a, b, c, ranges) => {
          const oldest = await writeTable({ memtables: [memtableOf(c)] });
          const sources = { memtables: [memtableOf(a)], runs: [runOf(b)], tables: [oldest] };
          const scanned = { memtables: [memtableOf(a), memtableOf(b)], tables: [oldest] };
          const expected = merge(a, b, c);
          const table = await writeTable(sources);
          expect(table.header.entries).toBe(expected.length);
          const keys = expected.map(([name]) => name);
          const values = expected.map(([, stored]) => stored);
          expect(await table.lookupMany(keys, 'pread')).toEqual(values);
          for (const wanted of [{}, { reverse: true }, ...ranges]) {
            expect(await collect({ tables: [table] }, wanted)).toEqual(within(expected, wanted));
            expect(await collect(scanned, wanted)).toEqual(within(expected, wanted));
          }
          const compacted = await writeTable({ tables: [table] }, { dropTombstones: true });
          expect(compacted.header.entries).toBe(values.filter((stored) => stored !== null).length);
          for (const opened of [oldest, table, compacted]) opened.close();
        },
      ),
      { numRuns: 80 },
    );
  });

  it('makes tables of several levels, which are scanned in both directions, from any key', async () => {
    const all = Array.from({ length: 6000 }, (_, index): BatchEntry => {
      const name = `${String(index >> 3).padStart(5, '0')}${'/'.repeat(300)}${index & 7}`;
      return [Buffer.from(name), Buffer.alloc(index % 97 === 0 ? 1500 : index % 50, index)];
    });
    const table = await writeTable({ runs: [runOf(all.toReversed())] });
    expect(table.header).toMatchObject({ version: 3, entries: 6000 });
    expect(table.header.height).toBeGreaterThanOrEqual(3);
    expect(await collect({ tables: [table] })).toEqual(all);
    expect(await collect({ tables: [table] }, { reverse: true })).toEqual(all.toReversed());
    for (let index = 0; index < all.length; index += 397) {
      const lower = { key: all[index]![0], inclusive: true };
      expect(await collect({ tables: [table] }, { lower, limit: 20 })).toEqual(all.slice(index, index + 20));
      const upper = { key: all[index]![0], inclusive: false };
      const below = all.slice(Math.max(0, index - 20), index).toReversed();
      expect(await collect({ tables: [table] }, { upper, reverse: true, limit: 20 })).toEqual(below);
    }
    const keysOnly = await collect({ tables: [table] }, { keysOnly: true });
    expect(
      keysOnly.every(([name, stored], index) => name.equals(all[index]![0]) && stored!.length === 0),
    ).toBe(true);
    table.close();
  });

  it('gives tables a filter of all keys, of a size that suits them', async () => {
    const all = Array.from({ length: 5000 }, (_, index): BatchEntry => [
      Buffer.from(`key ${index}`),
      Buffer.alloc(9),
    ]);
    // Five times the entries are expected, as each of five sources has all of them.
    const table = await writeTable({ runs: [1, 2, 3, 4, 5].map(() => runOf(all)) });
    const { filter, filterPages, filterBlocks } = table.header;
    expect(filterBlocks).toBeGreaterThanOrEqual(5000 / 24);
    expect(filterBlocks).toBeLessThan((2 * 5000) / 24 + 64);
    const blocks: Buffer[] = [];
    for (let page = 0; page < filterPages; page += 1) {
      const count = Math.min(127, filterBlocks - 127 * page);
      blocks.push((await table.readPage(filter + page * 4096)).subarray(32, 32 + 32 * count));
    }
    const whole = Buffer.concat(blocks);
    expect(
      filterMiss(
        whole,
        all.map(([name]) => name),
      ),
    ).toBe(-1);
    const absent = all.filter((_, index) => filterMiss(whole, [Buffer.from(`no key ${index}`)]) === -1);
    expect(absent.length).toBeLessThan(150);
    table.close();
    const plain = await writeTable({ runs: [runOf(all)] }, { filter: false });
    expect(plain.header).toMatchObject({ filter: 0, filterBlocks: 0 });
    plain.close();
  });

  it('is paced, tells its progress, and can be cancelled', async () => {
    const all = Array.from({ length: 20_000 }, (_, index): BatchEntry => [
      Buffer.from(`key ${index}`),
      Buffer.alloc(100),
    ]);
    const settings = { ...options(), bytesPerSecond: 1 };
    const write = new TableWrite({ runs: [runOf(all)] }, settings);
    await expect.poll(() => write.progress.bytes).toBeGreaterThan(100_000);
    expect(write.progress.entries).toBeLessThan(10_000);
    write.cancel();
    expect(await write.done).toBeUndefined();
    expect(existsSync(settings.path)).toBe(false);
    const other = new TableWrite({ runs: [runOf(all)] }, { ...options(), bytesPerSecond: 1 });
    await expect.poll(() => other.progress.bytes).toBeGreaterThan(100_000);
    other.setRate(Infinity);
    expect(await other.done).toMatchObject({ entries: 20_000 });
  });

  it('fails with the file that it could not write or read, and leaves none behind', async () => {
    const there = options();
    await new TableWrite({ runs: [runOf([[Buffer.from('a'), Buffer.alloc(1)]])] }, there).done;
    await expect(new TableWrite({}, there).done).rejects.toMatchObject({
      message: expect.stringContaining(`cannot write ${there.path}`) as string,
    });
    const source = TableFile.open(there.path);
    const bytes = readFileSync(there.path);
    bytes[source.header.root + 2000]! ^= 1;
    const damaged = { ...options() };
    writeFileSync(damaged.path, bytes);
    const table = TableFile.open(damaged.path);
    const target = options();
    const message = `${damaged.path}: the page fails its checksum (offset ${table.header.root})`;
    await expect(new TableWrite({ tables: [table] }, target).done).rejects.toThrow(message);
    await expect(collect({ tables: [table] })).rejects.toThrow(message);
    expect(existsSync(target.path)).toBe(false);
    table.close();
    source.close();
  });
});

describe('scanTotals', () => {
  it('adds up numbers in the order of the keys, over any number of batches', async () => {
    const all = Array.from({ length: 70_000 }, (_, index): BatchEntry => {
      const stored = Buffer.alloc(index % 10 === 9 ? 7 : 12);
      if (stored.length === 12) stored.writeDoubleLE(Math.sin(index) * 1e6, 4);
      return [Buffer.from(String(index).padStart(6, '0')), stored];
    });
    const table = await writeTable({ runs: [runOf(all)] });
    const numbers = all
      .filter(([, stored]) => stored!.length === 12)
      .map(([, stored]) => stored!.readDoubleLE(4));
    const totals = await scanTotals({ tables: [table] }, {}, { type: 'f64le', offset: 4 }, () => undefined);
    expect(totals).toEqual({
      count: 70_000,
      withField: numbers.length,
      sum: numbers.reduce((sum, number) => sum + number, 0),
      min: Math.min(...numbers),
      max: Math.max(...numbers),
    });
    const first = await scanTotals({ tables: [table] }, { limit: 40_000 }, undefined, () => undefined);
    expect(first).toMatchObject({ count: 40_000, withField: 0 });
    table.close();
  });

  it.each([
    ['u8', 200, 1],
    ['u16le', 60_000, 2],
    ['u32le', 4_000_000_000, 4],
    ['i32le', -5, 4],
    ['f32le', 0.5, 4],
    ['f64le', NaN, 8],
  ] as const)('reads %s', async (type, number, bytes) => {
    const stored = Buffer.alloc(16);
    const view = new DataView(stored.buffer, stored.byteOffset);
    const write = {
      u8: 'setUint8',
      u16le: 'setUint16',
      u32le: 'setUint32',
      i32le: 'setInt32',
      f32le: 'setFloat32',
      f64le: 'setFloat64',
    } as const;
    view[write[type]](16 - bytes, number, true);
    const sources = { memtables: [memtableOf([[Buffer.from('a'), stored]])] };
    const totals = await scanTotals(sources, {}, { type, offset: 16 - bytes }, () => undefined);
    expect(totals).toEqual({ count: 1, withField: 1, sum: number, min: number, max: number });
    const beyond = await scanTotals(sources, {}, { type, offset: 17 - bytes }, () => undefined);
    expect(beyond.withField).toBe(0);
  });
});
