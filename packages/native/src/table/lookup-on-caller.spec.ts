/** Small lookups by page-cache-bpf that are answered on the calling thread, since all they need is mapped. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needs } from '@exopool/house';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TableFile } from './table-file.js';
import { tableEngineSupport } from './engine-support.js';
import { buildTable, type Entry } from '../testing/table.js';

const engine = 'page-cache-bpf';
const { reason } = tableEngineSupport().find((support) => support.engine === engine)!;
const callMaxKeys = 64;
/** Of one key. */
const turnMaxCalls = 57;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-caller-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function openTable(entries: Iterable<Entry>, slotsPerPage: number, cacheInterior = false): TableFile {
  const file = path.join(folder, `${(files += 1)}.table`);
  writeFileSync(file, buildTable(entries, { slotsPerPage }));
  return TableFile.open(file, { cacheInterior });
}

const numbered = (count: number, bytes = 20): Entry[] =>
  Array.from({ length: count }, (_, i) => [Buffer.from(`key${i}`), Buffer.alloc(bytes, i)]);

describe('lookups on the calling thread', needs(engine, reason), () => {
  it('give what a Map gives, with pages that are mapped and pages that are not', async () => {
    const cell = fc.oneof(
      fc.nat(200).map((n) => Buffer.alloc(n, n)),
      fc.constant(Buffer.alloc(3000, 7)),
      fc.constant(null),
    );
    const wanted = fc.array(fc.nat(600), { minLength: 1, maxLength: callMaxKeys });
    const shapes = fc.record({
      cells: fc.array(cell, { maxLength: 500 }),
      slotsPerPage: fc.constantFrom(4, 12, 338),
      cacheInterior: fc.boolean(),
      batches: fc.array(wanted, { maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ cells, slotsPerPage, cacheInterior, batches }) => {
        const table = openTable(
          cells.map((value, i): Entry => [Buffer.from(`key${i}`), value]),
          slotsPerPage,
          cacheInterior,
        );
        for (const batch of batches) {
          const keys = batch.map((i) => Buffer.from(`key${i}`));
          expect(await table.lookupMany(keys, engine)).toEqual(batch.map((i) => cells[i]));
        }
        table.close();
      }),
      { numRuns: 150 },
    );
  });

  it('begin when the pages have been mapped and checked', async () => {
    const entries = numbered(1000);
    const keys = entries.slice(0, callMaxKeys).map(([key]) => key);
    const table = openTable(entries, 10);
    const first = await table.lookupMany(keys, engine);
    expect(table.counters(engine).onCaller).toBe(0);
    expect(await table.lookupMany(keys, engine)).toEqual(first);
    expect(table.counters(engine)).toMatchObject({ lookups: 2 * callMaxKeys, onCaller: callMaxKeys });
    await table.lookupMany([...keys, entries[100]![0]], engine);
    expect(table.counters(engine).onCaller).toBe(callMaxKeys);
  });

  it('leave those to others whose value must be read', async () => {
    const table = openTable([...numbered(10), [Buffer.from('large'), Buffer.alloc(5000)]], 338);
    const keys = ['key1', 'large', 'key2'].map((key) => Buffer.from(key));
    const first = await table.lookupMany(keys, engine);
    expect(await table.lookupMany(keys, engine)).toEqual(first);
    expect(table.counters(engine)).toMatchObject({ lookups: 6, onCaller: 2 });
  });

  it('do not keep the event loop from turning', async () => {
    const table = openTable(numbered(100), 10);
    const keys = [Buffer.from('key42')];
    let turns = 0;
    let timer = setImmediate(function tick() {
      turns += 1;
      timer = setImmediate(tick);
    });
    const calls = 20_000;
    for (let call = 0; call < calls; call += 1) await table.lookupMany(keys, engine);
    clearImmediate(timer);
    const { onCaller } = table.counters(engine);
    expect(onCaller).toBeGreaterThan(turnMaxCalls);
    // The loop takes the time anew up to twice a turn.
    expect(turns).toBeGreaterThanOrEqual(Math.floor(onCaller / turnMaxCalls / 2));
  });

  it('say so when the file shrinks', async () => {
    const table = openTable(numbered(2000), 10);
    const keys = [Buffer.from('key5')];
    await table.lookupMany(keys, engine);
    truncateSync(table.path, 4096);
    await expect(table.lookupMany(keys, engine)).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
  });
});
