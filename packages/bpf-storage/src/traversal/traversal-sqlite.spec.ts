import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needs } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sqliteRowInput, sqliteTable } from './sqlite-table.js';
import { buildExample, enginesFor, hasSqlite, quoteRecord, sqlite } from '../testing/traversal.js';
import { Traversal } from './traversal.js';

const isLong = process.env['EXOPOOL_TEST_ALL'] === '1';
/** One row in so many has this many bytes at most; the others 200. */
const overflowEvery = 50;
const overflowBytes = 9000;
const batch = 50_000;
let folder: string;
let object: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-sqlite-'));
  object = buildExample('sqlite-rowid', folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function makeDatabase(name: string, rows: number, pageSize: number): string {
  const file = path.join(folder, name);
  sqlite(
    file,
    `PRAGMA page_size=${pageSize}; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
    CREATE TABLE "other"(x); CREATE TABLE "rows"(id INTEGER PRIMARY KEY, number, text, bytes);
    WITH RECURSIVE counted(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < ${rows})
    INSERT INTO "rows" SELECT i * 2 - 1000, i * 7919, printf('row %d', i), randomblob(abs(random()) %
      CASE WHEN i % ${overflowEvery} = 0 THEN ${overflowBytes} ELSE 200 END) FROM counted;`,
  );
  return file;
}

/** Rows [from, from + count) as `sqlite3` prints them. */
function expectedRows(file: string, from: number, count: number): string[] {
  const query = `SELECT 'NULL,' || quote(number) || ',' || quote(text) || ',' || quote(bytes) FROM "rows"
    WHERE id >= ${from * 2 - 1000} ORDER BY id LIMIT ${count};`;
  return sqlite(file, query).trimEnd().split('\n');
}

async function compareAll(file: string, rows: number, engine: 'pread' | 'io-uring' | 'page-cache-bpf') {
  await using traversal = await Traversal.load({ object, file, engine });
  const table = sqliteTable(file, 'rows');
  let differences = 0;
  for (let from = 1; from <= rows; from += batch) {
    const count = Math.min(batch, rows - from + 1);
    const inputs = Array.from({ length: count }, (_, i) => sqliteRowInput(table, (from + i) * 2 - 1000));
    const results = await traversal.run(inputs);
    const expected = expectedRows(file, from, count);
    expect(expected).toHaveLength(count);
    differences += results.filter(
      (result, i) => result.status !== 'done' || quoteRecord(result.value) !== expected[i],
    ).length;
  }
  const absent = [-1n << 63n, -999n, 1n, BigInt(rows) * 2n, (1n << 63n) - 1n];
  const missing = await traversal.run(absent.map((rowid) => sqliteRowInput(table, rowid)));
  expect(missing.map(({ status }) => status)).toEqual(absent.map(() => 'not-found'));
  return { differences, stats: traversal.stats() };
}

describe('rows of SQLite by rowid', needs('sqlite', hasSqlite ? undefined : 'no sqlite3'), () => {
  const engines = ['pread', 'io-uring', 'page-cache-bpf'] as const;

  it.each([512, 1024, 4096])('are those of sqlite3, in pages of %d bytes', async (pageSize) => {
    const rows = pageSize === 4096 ? 20_000 : 2000;
    const file = makeDatabase(`${pageSize}.db`, rows, pageSize);
    const available = enginesFor(object);
    for (const engine of engines.filter((candidate) => available.includes(candidate))) {
      const { differences, stats } = await compareAll(file, rows, engine);
      expect({ engine, differences }).toEqual({ engine, differences: 0 });
      expect(stats.ends).toMatchObject({ done: rows, notFound: 5 });
      if (engine === 'page-cache-bpf') expect(stats.returned.user).toBeGreaterThan(0);
    }
  });

  const long = { ...needs('all', isLong ? undefined : 'a million rows take minutes'), timeout: 900_000 };
  it('are those of sqlite3, a million of them', long, async () => {
    const rows = 1_000_000;
    const file = makeDatabase('million.db', rows, 4096);
    const engine = enginesFor(object).includes('page-cache-bpf') ? 'page-cache-bpf' : 'pread';
    const { differences, stats } = await compareAll(file, rows, engine);
    expect(differences).toBe(0);
    expect(stats.ends).toMatchObject({ done: rows, notFound: 5 });
  });

  it('are refused where a page does not lie in a block, and where there is no such table', () => {
    const large = makeDatabase('large.db', 10, 8192);
    expect(() => sqliteTable(large, 'rows')).toThrow(/pages of 8192 bytes/);
    const file = makeDatabase('small.db', 10, 4096);
    expect(() => sqliteTable(file, 'none')).toThrow(/no table "none"/);
    expect(() => sqliteTable(import.meta.filename, 'rows')).toThrow(/not a database/);
  });
});
