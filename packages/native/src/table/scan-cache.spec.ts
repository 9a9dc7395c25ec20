import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeBatch } from '../testing/entry-batch.js';
import { Memtable } from './memtable.js';
import { StoreIndex } from './store-index.js';
import { TableFile } from './table-file.js';
import { buildTable } from '../testing/table.js';
import { scanBatches, type ScanRange, type ScanSources } from './table-scan.js';

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-scan-cache-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Row = readonly [name: Buffer, value: Buffer];
const pageBytes = 4096;

const numbered = (count: number, valueBytes: number): Row[] =>
  Array.from({ length: count }, (_, index) => [
    Buffer.from(`key ${String(index).padStart(6, '0')}`),
    Buffer.alloc(valueBytes, index),
  ]);

function openTable(rows: readonly Row[]): { readonly file: string; readonly table: TableFile } {
  const file = path.join(folder, `${(files += 1)}.table`);
  writeFileSync(file, buildTable(rows, { tableId: BigInt(files) }));
  return { file, table: TableFile.open(file) };
}

const openIndex = (cacheBytes = 8 << 20): StoreIndex => new StoreIndex({ cacheBytes });

/** From now on whoever reads a page of the table from its file finds it damaged. */
function damage(file: string, pages: number): void {
  const opened = openSync(file, 'r+');
  writeSync(opened, Buffer.alloc(pages * pageBytes), 0, pages * pageBytes, pageBytes);
  closeSync(opened);
}

/** As text, which is compared a hundred times faster. */
const textsOf = (rows: readonly Row[]): string[] =>
  rows.map((row) => row.map((bytes) => bytes.toString('latin1')).join('='));

async function collect(sources: ScanSources, range: ScanRange = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of scanBatches(sources, range, () => undefined)) found.push(...textsOf(batch));
  return found;
}

const from = (row: Row, limit: number): ScanRange => ({ lower: { key: row[0], inclusive: true }, limit });

describe('a scan with a cache', () => {
  it('does not read again what was read lately, in either direction', async () => {
    const rows = numbered(20_000, 100);
    const { file, table } = openTable(rows);
    const cache = openIndex();
    const sources = { tables: [table], cache };
    const forward = from(rows[5000]!, 100);
    const backward = { upper: { key: rows[9000]![0], inclusive: false }, reverse: true, limit: 100 };
    for (let time = 0; time < 2; time += 1) {
      expect(await collect(sources, forward)).toEqual(textsOf(rows.slice(5000, 5100)));
      expect(await collect(sources, backward)).toEqual(textsOf(rows.slice(8900, 9000).toReversed()));
      // The second time there is nothing else to be read.
      if (time === 0) damage(file, table.header.fileSize / pageBytes - 1);
    }
    // Within what was read, and partly outside of it.
    expect(await collect(sources, from(rows[5040]!, 30))).toEqual(textsOf(rows.slice(5040, 5070)));
    await expect(collect(sources, from(rows[5040]!, 300))).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
    await expect(collect({ tables: [table] }, forward)).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
    cache.close();
    await expect(collect(sources, forward)).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
    table.close();
  });

  it('goes on with the files where memory ends', async () => {
    const rows = numbered(3000, 500);
    const { table } = openTable(rows);
    const cache = openIndex();
    const sources = { tables: [table], cache };
    await collect(sources, from(rows[0]!, 300));
    expect(await collect(sources)).toEqual(textsOf(rows));
    expect(await collect(sources, { reverse: true })).toEqual(textsOf(rows.toReversed()));
    // A long scan leaves no more than its beginning.
    expect(cache.stats().leaves).toBeLessThan(100);
    cache.close();
    table.close();
  });

  it('leaves a long way through deleted keys to other threads', async () => {
    const rows = numbered(3000, 10);
    const memtable = new Memtable();
    const writes = rows.map(([name, value], index) => [name, index < 2500 ? null : value] as const);
    memtable.apply(encodeBatch(writes), writes.length, 1);
    const cache = openIndex();
    expect(await collect({ memtables: [memtable], cache })).toEqual(textsOf(rows.slice(2500)));
    cache.close();
  });

  it('reads values outside of leaves, tables of one page, and none', async () => {
    const cache = openIndex();
    for (const rows of [numbered(40, 5000), numbered(3, 10), []]) {
      const { table } = openTable(rows);
      for (let time = 0; time < 2; time += 1) {
        expect(await collect({ tables: [table], cache }, { limit: 50 })).toEqual(textsOf(rows));
      }
      table.close();
    }
    cache.close();
  });

  it('finds the newest of each key, whatever is cached', async () => {
    const name = fc.nat(400).map((number) => numbered(401, 0)[number]![0]);
    const written = fc.array(fc.tuple(name, fc.option(fc.constant(Buffer.from('new')), { freq: 2 })));
    const range = fc.record({
      lower: fc.option(fc.record({ key: name, inclusive: fc.boolean() }), { nil: undefined }),
      reverse: fc.boolean(),
      limit: fc.constantFrom(1, 7, 60, Infinity),
      keysOnly: fc.boolean(),
    });
    const older = openTable(numbered(400, 90));
    const newer = openTable(numbered(400, 70).filter((_, index) => index % 3 === 0));
    const cache = openIndex();
    await fc.assert(
      fc.asyncProperty(written, fc.array(range, { minLength: 1, maxLength: 8 }), async (writes, ranges) => {
        const memtable = new Memtable();
        memtable.apply(encodeBatch(writes), writes.length, 1);
        const sources = { memtables: [memtable], tables: [newer.table, older.table] };
        for (const wanted of ranges)
          expect(await collect({ ...sources, cache }, wanted)).toEqual(await collect(sources, wanted));
      }),
      { numRuns: 60 },
    );
    expect(cache.stats().leaves).toBeGreaterThan(0);
    cache.close();
    older.table.close();
    newer.table.close();
  });
});
