import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeBatch } from '../testing/entry-batch.js';
import { bindingPlaces } from '../load-binding.js';
import { Memtable } from './memtable.js';
import { notInMemory, StoreIndex, type IndexedTable } from './store-index.js';
import { TableFile } from './table-file.js';
import { tableEngineSupport } from './engine-support.js';
import type { TableEngine } from './table-engine.js';
import { buildTable, type Entry, type FixtureOptions } from '../testing/table.js';

let folder: string;
let files = 0;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-index-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openTable(
  entries: readonly Entry[],
  fixture: FixtureOptions = {},
  edit?: (bytes: Buffer) => void,
): IndexedTable {
  const file = path.join(folder, `${(files += 1)}.table`);
  const bytes = buildTable(entries, { tableId: BigInt(files), ...fixture });
  edit?.(bytes);
  writeFileSync(file, bytes);
  const keys = entries.map(([name]) => name).sort((a, b) => Buffer.compare(a, b));
  return { file: TableFile.open(file), smallestKey: keys[0]!, largestKey: keys.at(-1)! };
}

/** An index of `tables`, the newest first, each read by the engine of its place. */
async function indexOf(
  tables: readonly IndexedTable[],
  { cacheBytes = 8 << 20, engines = ['pread'] as readonly TableEngine[] } = {},
): Promise<StoreIndex> {
  const index = new StoreIndex({ cacheBytes });
  index.setTables(tables);
  index.setEngines(tables.map((_, i) => engines[i % engines.length]!));
  for (const { file } of tables) await index.prepare(file);
  return index;
}

function close(index: StoreIndex, tables: readonly IndexedTable[]): void {
  index.close();
  for (const { file } of tables) file.close();
}

const key = fc.stringMatching(/^[ab]{1,5}$/).map((text) => Buffer.from(text));
const value = fc.oneof({ weight: 8, arbitrary: fc.nat(60) }, fc.constantFrom(0, 1025, 5000, 70_000));
const textOf = (bytes: Buffer | typeof notInMemory | null | undefined): string | undefined =>
  bytes === notInMemory ? 'not in memory' : bytes?.toString('latin1');
const cells = fc.uniqueArray(
  fc.tuple(
    key,
    fc.option(
      value.map((length) => Buffer.alloc(length, length)),
      { freq: 4 },
    ),
  ),
  { minLength: 1, maxLength: 40, selector: ([name]) => name.toString() },
);
const available = tableEngineSupport()
  .filter((support) => support.available)
  .map(({ engine }) => engine);
const engineMix = fc.array(fc.constantFrom(...available), { minLength: 1, maxLength: 3 });

describe('StoreIndex', () => {
  it('gives what the newest table knows, by every way to ask and any engines', async () => {
    const shapes = fc.record({
      layers: fc.array(cells, { minLength: 1, maxLength: 5 }),
      engines: engineMix,
      cacheBytes: fc.constantFrom(0, 1 << 20, 16 << 20),
      filterBlockKeys: fc.constantFrom(undefined, 24),
    });
    const property = fc.asyncProperty(shapes, async ({ layers, filterBlockKeys, ...options }) => {
      const fixture = { slotsPerPage: 4, ...(filterBlockKeys === undefined ? {} : { filterBlockKeys }) };
      const tables = layers.map((entries) => openTable(entries, fixture));
      const index = await indexOf(tables, options);
      const model = new Map<string, Buffer | null>();
      for (const [name, found] of layers.toReversed().flat()) model.set(name.toString(), found);
      const names = [...model.keys(), ...[...model.keys()].map((name) => `${name}c`), 'zz'];
      const expected = names.map((name) => textOf(model.get(name)));
      for (let round = 0; round < 2; round += 1) {
        for (const found of [
          await Promise.all(names.map((name) => index.get(name))),
          await index.getMany(names),
          await index.lookUpMany(names),
          names.map((name) => index.getSync(Buffer.from(name))),
        ])
          expect(found.map(textOf)).toEqual(expected);
        for (const [at, name] of names.entries())
          expect([textOf(notInMemory), expected[at]]).toContain(textOf(index.find(name)));
      }
      close(index, tables);
    });
    await fc.assert(property, { numRuns: 40 });
  });

  it('has written keys first, deletions too', () => {
    const [older, newer] = [new Memtable(), new Memtable()];
    older.apply(
      encodeBatch([
        [Buffer.from('a'), Buffer.from('1')],
        [Buffer.from('b'), Buffer.from('1')],
      ]),
      2,
      1,
    );
    newer.apply(encodeBatch([[Buffer.from('b'), null]]), 1, 3);
    const index = new StoreIndex({ cacheBytes: 0 });
    index.setMemtables([newer, older].map(({ handle }) => handle));
    expect(['a', 'b', 'c'].map((name) => index.find(name))).toEqual([Buffer.from('1'), undefined, undefined]);
    expect(index.stats()).toMatchObject({ memtableHits: 2, noTable: 1 });
    index.close();
  });

  it('fails only the keys that need a damaged page, with file and offset', async () => {
    const entries = Array.from({ length: 200 }, (_, i): Entry => [Buffer.from([i]), Buffer.alloc(10, i)]);
    // The first leaf: keys 0 to 9.
    const damage = (bytes: Buffer): void => void (bytes[4096 + 4000]! ^= 1);
    for (const engine of available) {
      const tables = [openTable(entries, { slotsPerPage: 10 }, damage)];
      const index = await indexOf(tables, { engines: [engine] });
      const settled = await Promise.allSettled(entries.map(([name]) => index.get(name)));
      const message = expect.stringContaining(`${tables[0]!.file.path}: `) as string;
      settled.forEach((outcome, i) => {
        const reason = { code: 'EXOPOOL_CORRUPT', message };
        const status = i < 10 ? 'rejected' : 'fulfilled';
        expect(outcome).toMatchObject(i < 10 ? { status, reason } : { status, value: entries[i]![1] });
      });
      expect(() => index.getSync(Buffer.from([3]))).toThrow('(offset 4096)');
      await expect(index.getMany([Buffer.from([3])])).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
      close(index, tables);
    }
  });

  it('refuses what is no key', async () => {
    const index = await indexOf([]);
    for (const wrong of ['', Buffer.alloc(0), 'k'.repeat(512), Buffer.alloc(512), 'ü'.repeat(256), 7, null]) {
      const ask = [
        () => index.find(wrong as string),
        () => index.get(wrong as string),
        () => index.getMany([wrong as string]),
        () => index.written([wrong as Buffer]),
      ];
      for (const call of ask)
        expect(call).toThrow(expect.objectContaining({ code: 'EXOPOOL_INVALID' }) as Error);
    }
    expect(index.find('ü'.repeat(255))).toBeUndefined();
    expect(index.find('k'.repeat(511))).toBeUndefined();
    index.close();
  });

  it('writes into no value that a caller has, whatever the caller does to its memory', async () => {
    const entries = Array.from({ length: 300 }, (_, i): Entry => [
      Buffer.from(`key ${i}`),
      Buffer.from(`value ${i}`),
    ]);
    const tables = [openTable(entries)];
    const index = await indexOf(tables);
    const texts = entries.map(([name]) => name.toString());
    const expected = texts.map((text) => text.replace('key', 'value'));
    const take = async (): Promise<Buffer[]> =>
      (await Promise.all(texts.map((text) => index.get(text)))) as Buffer[];
    const steal = [
      (value: Buffer) => structuredClone(value, { transfer: [value.buffer as ArrayBuffer] }),
      (value: Buffer) => new ReadableStream({ type: 'bytes', start: (stream) => stream.enqueue(value) }),
      (value: Buffer) => value.fill('x'),
    ];
    for (const use of steal) {
      const taken = [...(await take()), ...texts.map((text) => index.find(text) as Buffer)];
      expect(taken.map(String)).toEqual([...expected, ...expected]);
      let kept: unknown;
      try {
        kept = use(taken[0]!);
        use(taken.at(-1)!);
      } catch (error) {
        // Node.js 21 and later refuse to transfer the block.
        expect(error).toMatchObject({ name: expect.stringMatching(/DataCloneError|TypeError/) as string });
      }
      const foreign = Array.from({ length: 50 }, () => Buffer.alloc(8192, 'f'));
      for (let round = 0; round < 5; round += 1)
        for (const [at, text] of texts.entries()) expect(String(index.find(text))).toBe(expected[at]);
      expect((await take()).map(String)).toEqual(expected);
      expect(foreign.every((bytes) => bytes.equals(Buffer.alloc(8192, 'f')))).toBe(true);
      if (kept instanceof Uint8Array) expect(Buffer.from(kept).toString()).toMatch(/^(value 0|x+)$/);
    }
    close(index, tables);
  });

  it('says when there is no memory for the cache', () => {
    const open = () => new StoreIndex({ cacheBytes: 2 ** 52 });
    expect(open).toThrow(expect.objectContaining({ code: 'EXOPOOL_IO' }) as Error);
  });

  it('answers keys that no filter admits without a read', async () => {
    const entries = Array.from({ length: 1000 }, (_, i): Entry => [Buffer.from(`key${i}`), Buffer.alloc(9)]);
    const tables = [openTable(entries, { filterBlockKeys: 16 }), openTable(entries, { filterBlockKeys: 16 })];
    const index = await indexOf(tables);
    const found = await index.getMany(Array.from({ length: 1000 }, (_, i) => `key${i}-`));
    expect(found.every((bytes) => bytes === undefined)).toBe(true);
    const { noTable, filterNegatives, inNoTable, filterBytes, tablesWithoutFilter } = index.stats();
    expect(noTable).toBeGreaterThan(950);
    expect(noTable + inNoTable).toBe(1000);
    expect(filterNegatives).toBeGreaterThan(1950);
    expect([filterBytes, tablesWithoutFilter]).toEqual([2 * 63 * 32, 0]);
    close(index, tables);
  });

  it('does without a filter that is damaged, or for which there is no room', async () => {
    const entries = Array.from({ length: 500 }, (_, i): Entry => [Buffer.from(`key${i}`), Buffer.alloc(9)]);
    const damage = (bytes: Buffer): void => void (bytes[bytes.length - 1]! ^= 1);
    const tables = [openTable(entries, { filterBlockKeys: 24 }, damage), openTable(entries)];
    const index = await indexOf(tables);
    expect(index.stats()).toMatchObject({ tablesWithoutFilter: 2, filterBytes: 0 });
    expect(await index.get('key77')).toEqual(Buffer.alloc(9));
    expect(await index.get('key77-')).toBeUndefined();
    close(index, tables);
  });

  it('caches nothing that was written while it was read', async () => {
    const tables = [openTable([[Buffer.from('a'), Buffer.from('old')]])];
    for (const engine of available) {
      // Without room for leaves, which tell what the table has whatever is written.
      const index = await indexOf(tables, { engines: [engine], cacheBytes: 1 << 20 });
      const many = Promise.resolve(index.getMany(['a'])).then(([found]) => found);
      const reads = [index.get('a'), many, index.lookUpMany(['a']).then(([found]) => found)];
      await Promise.resolve();
      index.written([Buffer.from('a')]);
      expect(await Promise.all(reads)).toEqual(reads.map(() => Buffer.from('old')));
      expect(index.find('a')).toBe(notInMemory);
      const late = index.get('a');
      index.writtenAll();
      await late;
      expect(index.find('a')).toBe(notInMemory);
      await index.get('a');
      expect(index.find('a')).toEqual(Buffer.from('old'));
      index.close();
    }
    tables[0]!.file.close();
  });

  it('keeps leaves that are read again, and answers their other keys from them', async () => {
    const entries = Array.from({ length: 90 }, (_, i): Entry => [Buffer.from([i]), Buffer.alloc(40, i)]);
    const tables = [openTable(entries, { slotsPerPage: 30 })];
    const index = await indexOf(tables);
    for (const at of [0, 1]) await index.get(entries[at]![0]);
    for (let at = 2; at < 30; at += 1) expect(index.find(entries[at]![0])).toEqual(entries[at]![1]);
    expect(index.find(Buffer.of(3, 1))).toBeUndefined();
    expect(index.find(entries[31]![0])).toBe(notInMemory);
    expect(index.stats()).toMatchObject({ leaves: 1, leafHits: 29 });
    close(index, tables);
  });

  it('reads on in the tables that it had when they are replaced, and closes with reads under way', async () => {
    const older = [openTable([[Buffer.from('a'), Buffer.from('1')]])];
    const newer = [openTable([[Buffer.from('a'), Buffer.from('2')]])];
    const index = await indexOf(older);
    const first = index.get('a');
    await Promise.resolve();
    index.setTables(newer);
    older[0]!.file.close();
    expect(await first).toEqual(Buffer.from('1'));
    index.writtenAll();
    expect(await index.get('a')).toEqual(Buffer.from('2'));
    index.writtenAll();
    const last = index.get('a');
    close(index, newer);
    expect(await last).toEqual(Buffer.from('2'));
  });

  it('is a map that may forget, never one that remembers wrong', async () => {
    const wide = openTable([
      [Buffer.of(0), Buffer.alloc(0)],
      [Buffer.of(255), Buffer.alloc(0)],
    ]);
    const operation = fc.tuple(fc.constantFrom('admit', 'late', 'written', 'find', 'find'), key, value);
    const property = fc.asyncProperty(fc.array(operation, { maxLength: 300 }), async (operations) => {
      const index = await indexOf([wide], { cacheBytes: 300_000 });
      const model = new Map<string, Buffer | undefined>();
      for (const [what, name, length] of operations) {
        const bytes = length % 7 === 0 ? undefined : Buffer.alloc(length, length);
        const epoch = index.epoch(name);
        if (what === 'late' || what === 'written') {
          index.written([name]);
          model.delete(name.toString());
        }
        if (what === 'late') expect(index.admit(name, epoch, bytes)).toBe(false);
        if (what === 'admit') {
          expect(index.admit(name, epoch, bytes)).toBe(true);
          model.set(name.toString(), bytes);
        }
        const found = index.find(name);
        if (found !== notInMemory) {
          expect(model.has(name.toString())).toBe(true);
          expect(textOf(found)).toBe(textOf(model.get(name.toString())));
        }
      }
      index.close();
    });
    await fc.assert(property, { numRuns: 60 });
    wide.file.close();
  });

  it('hits more than a cache of least recently used rows, and a scan in between costs little', async () => {
    const wide = openTable([
      [Buffer.of(0), Buffer.alloc(0)],
      [Buffer.of(255), Buffer.alloc(0)],
    ]);
    const [rows, bytes] = [20_000, Buffer.alloc(200, 'v')];
    const weights = Array.from({ length: rows }, (_, rank) => 1 / (rank + 1) ** 0.99);
    let total = 0;
    const sums = weights.map((weight) => (total += weight));
    // A small linear congruential generator: the same trace in every run.
    let state = 1;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const zipf = (): number => sums.findIndex((sum) => sum >= wanted);
    let wanted = 0;
    const trace = Array.from({ length: 60_000 }, (_, at) => {
      wanted = random() * total;
      const isScan = at >= 40_000 && at < 45_000;
      return { name: isScan ? `scanned ${at}` : `row ${zipf()}`, counts: at >= 20_000 && !isScan };
    });
    const index = await indexOf([wide], { cacheBytes: 1 << 20 });
    const recent = new Map<string, true>();
    let [hits, recentHits] = [0, 0];
    for (const { name, counts } of trace) {
      const found = index.find(name);
      if (found === notInMemory) index.admit(name, index.epoch(name), bytes);
      else hits += Number(counts);
      recentHits += Number(counts && recent.delete(name));
      recent.delete(name);
      recent.set(name, true);
      // As many rows as the memory has room for without any overhead.
      if (recent.size > (1 << 20) / (bytes.length + 10)) recent.delete(recent.keys().next().value!);
    }
    expect(hits).toBeGreaterThan(recentHits * 1.02);
    index.close();
    wide.file.close();
  });

  it('keeps no memory of a call with very many keys', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const index = await indexOf([]);
    const used = (): number => {
      gc();
      return process.memoryUsage().arrayBuffers;
    };
    const before = used();
    index.written(new Array<Buffer>(40_000).fill(Buffer.alloc(511, 'k')));
    await expect.poll(used).toBeLessThan(before + (2 << 20));
    index.written([Buffer.from('a')]);
    index.close();
  });

  it('takes the memory that it is given, and no more', () => {
    const budget = 96 << 20;
    const place = bindingPlaces().find((candidate) => {
      return spawnSync(process.execPath, ['-e', `require(${JSON.stringify(candidate)})`]).status === 0;
    })!;
    const code = `
      const binding = require(${JSON.stringify(place)});
      const index = binding.openStoreIndex(${budget}, binding.openLookupStream(() => {}, new Int32Array(32)));
      const keyBuffer = Buffer.from(index.key, 0, 512);
      const values = Array.from({ length: 50 }, (_, i) => Buffer.alloc(i * 40, i));
      const admit = (i) => {
        const length = keyBuffer.write('key ' + i);
        index.admit(length, index.epoch(length), values[i % 50]);
      };
      for (let i = 0; i < 2000; i++) admit(i);
      index.writtenAll();
      // Without JavaScript's heap, which grows and shrinks as it likes.
      const used = () => {
        gc();
        const { rss, heapTotal } = process.memoryUsage();
        return rss - heapTotal;
      };
      const before = used();
      for (let i = 0; i < 200_000; i++) admit(i);
      console.log(used() - before, index.stats().cacheBytes);`;
    const run = spawnSync(process.execPath, ['--expose-gc', '-e', code], { encoding: 'utf8' });
    const [rss, counted] = run.stdout.split(' ').map(Number);
    expect(rss! / budget).toBeGreaterThan(0.9);
    expect(rss! / budget).toBeLessThan(1.1);
    expect(counted! / budget).toBeLessThanOrEqual(1);
  });
});
