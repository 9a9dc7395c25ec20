/** Tables as a whole: what the writer writes, every reader and engine finds. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { skipWithout } from '@exopool/house';
import { crc32c, TableFile } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tombstone, type Entry } from '../format/entry.js';
import { EXO_PAGE_SIZE, EXO_VALUE_MAX, pageChecksumStart } from '../format/format.js';
import { getFromTable } from './table-reader.js';
import type { KeyRange } from '../format/key-range.js';
import { scanTable } from './reference-scan.js';
import { verifyTable } from '../verify/table-verify.js';
import { inFolder } from '../testing/folder.js';
import {
  availableEngines,
  keyArbitrary,
  memorySource,
  memtableOf,
  cellsArbitrary,
  support,
  writePairs,
  type Cell,
  type Pair,
} from '../testing/table.js';
import { writeTable } from './write-table.js';

async function collect(batches: AsyncIterable<readonly Entry[]>): Promise<Cell[]> {
  const cells: Cell[] = [];
  for await (const batch of batches) {
    for (const { key, value } of batch) cells.push([key, value === tombstone ? null : Buffer.from(value)]);
  }
  return cells;
}

/**
 * A high tree of few entries: keys of one group differ only in their last byte, which makes long separators; keys of
 * different groups differ early, which makes short prefixes.
 */
function manyPairs(count: number): Pair[] {
  return Array.from({ length: count }, (_, index) => {
    const group = String(index >> 3).padStart(5, '0');
    const key = Buffer.from(`${group}${'/'.repeat(400)}${index & 7}`);
    return [key, Buffer.alloc(index % 97 === 0 ? 1500 : index % 50, index)];
  });
}

const golden: Cell[] = [
  ...Array.from({ length: 40 }, (_, index): Cell => {
    const key = Buffer.from(`package ${String(index).padStart(3, '0')}`);
    return [key, Buffer.alloc(index * 5, index)];
  }),
  [Buffer.from('package removed'), null],
  [Buffer.from('q'), Buffer.alloc(5000, 'q')],
];

/** Fails with one line, where comparing thousands of pairs by `toEqual` takes seconds. */
function expectSame(found: readonly Cell[], expected: readonly Cell[]): void {
  expect(found.length).toBe(expected.length);
  const differs = found.findIndex(([key, value], index) => {
    const [expectedKey, expectedValue] = expected[index]!;
    const isSame = value === null ? expectedValue === null : expectedValue?.equals(value) === true;
    return !key.equals(expectedKey) || !isSame;
  });
  expect(differs).toBe(-1);
}

describe('a table', () => {
  it.for(support)('gives $engine and the reference reader the same values', async (candidate, context) => {
    const { engine, reason } = candidate;
    skipWithout(context, engine, reason);
    await fc.assert(
      fc.asyncProperty(cellsArbitrary, fc.array(keyArbitrary, { maxLength: 20 }), async (pairs, others) => {
        await inFolder(async (folder) => {
          const table = TableFile.open(await writePairs(folder, pairs));
          const keys = [...pairs.map(([key]) => key), ...others];
          const expected = new Map(pairs.map(([key, value]) => [key.toString('hex'), value]));
          const found = await table.lookupMany(keys, engine);
          for (const [index, key] of keys.entries()) {
            expect(found[index]).toEqual(expected.get(key.toString('hex')));
            expect(await getFromTable(table, key)).toEqual(found[index]);
          }
          expect(await verifyTable(table)).toMatchObject({ ok: true, entries: pairs.length, problems: [] });
          table.close();
        });
      }),
      { numRuns: 60 },
    );
  });

  it('is walked by every engine through three levels', async () => {
    await inFolder(async (folder) => {
      const pairs = manyPairs(6000);
      const table = TableFile.open(await writePairs(folder, pairs));
      expect(table.header.height).toBeGreaterThanOrEqual(3);
      for (const engine of availableEngines) {
        const found = await table.lookupMany(
          pairs.map(([key]) => key),
          engine,
        );
        expect(found.every((value, index) => value?.equals(pairs[index]![1]))).toBe(true);
      }
      expect(await verifyTable(table)).toMatchObject({ ok: true, entries: 6000 });
      table.close();
    });
  });

  it('is scanned in order from any bound, in both directions', async () => {
    const bound = fc.option(fc.record({ key: keyArbitrary, inclusive: fc.boolean() }), { nil: undefined });
    const range: fc.Arbitrary<KeyRange> = fc.record({ lower: bound, upper: bound, reverse: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        cellsArbitrary,
        fc.array(range, { minLength: 1, maxLength: 8 }),
        async (pairs, ranges) => {
          await inFolder(async (folder) => {
            const source = memorySource(await readFile(await writePairs(folder, pairs)));
            for (const { lower, upper, reverse } of ranges) {
              const inside = pairs.filter(([key]) => {
                const above = lower === undefined ? 1 : Buffer.compare(key, lower.key);
                const below = upper === undefined ? -1 : Buffer.compare(key, upper.key);
                return (
                  (above > 0 || (above === 0 && lower?.inclusive)) &&
                  (below < 0 || (below === 0 && upper?.inclusive))
                );
              });
              const expected = reverse === true ? inside.toReversed() : inside;
              expect(await collect(scanTable(source, { lower, upper, reverse }))).toEqual(expected);
            }
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is scanned through many pages with read-ahead, and stops when aborted', async () => {
    await inFolder(async (folder) => {
      const pairs = manyPairs(6000);
      const table = TableFile.open(await writePairs(folder, pairs));
      expectSame(await collect(scanTable(table, {})), pairs);
      expectSame(await collect(scanTable(table, { reverse: true })), pairs.toReversed());
      const abort = new AbortController();
      const scan = scanTable(table, {}, abort.signal);
      await scan.next();
      abort.abort();
      await expect(scan.next()).rejects.toMatchObject({ code: 'EXOPOOL_ABORTED' });
      table.close();
    });
  });

  it('has the bytes of the golden file', async () => {
    const file = readFileSync(new URL('../testing/golden.table.gz.b64', import.meta.url), 'latin1');
    await inFolder(async (folder) => {
      const bytes = await readFile(await writePairs(folder, golden));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(
        'aefaef5684028e1a3330f6acf1e1fe060d2c3165dd186396c09dda4a1feb01f9',
      );
      expect(bytes.equals(gunzipSync(Buffer.from(file, 'base64')))).toBe(true);
    });
  });

  it.each([
    [1, golden.filter(([, value]) => value !== null)],
    [2, golden],
  ])('of version %i is read as it was written', async (version, entries) => {
    await inFolder(async (folder) => {
      const path = join(folder, 'old.table');
      const file = new URL(`../testing/golden-v${version}.table.gz.b64`, import.meta.url);
      await writeFile(path, gunzipSync(Buffer.from(readFileSync(file, 'latin1'), 'base64')));
      const table = TableFile.open(path);
      expect(table.header).toMatchObject({ version, filter: 0, filterPages: 0 });
      expectSame(await collect(scanTable(table, {})), entries);
      for (const engine of availableEngines) {
        const keys = golden.map(([key]) => key);
        const found = await table.lookupMany(keys, engine);
        expect(found.filter((value) => value === undefined).length).toBe(golden.length - entries.length);
      }
      expect(await verifyTable(table)).toMatchObject({ ok: true });
      table.close();
    });
  });
});

describe('damage', () => {
  it('in any byte is an error that names the file, or changes nothing that is read', async () => {
    await inFolder(async (folder) => {
      const path = await writePairs(folder, golden);
      const intact = await readFile(path);
      const keys = golden.map(([key]) => key);
      // Each page's first 120 bytes hold header, slots and prefix; cells are at its end; the rest at random.
      const within = fc.oneof(fc.nat(119), fc.integer({ min: 3900, max: 4095 }), fc.nat(4095));
      const place = fc.tuple(fc.nat(intact.length / EXO_PAGE_SIZE - 1), within);
      await fc.assert(
        fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async ([page, at], flip) => {
          const damaged = Buffer.from(intact);
          damaged[page * EXO_PAGE_SIZE + at]! ^= flip;
          await writeFile(path, damaged);
          for (const engine of availableEngines) {
            await expectErrorOrTruth(path, async () => {
              const table = TableFile.open(path);
              try {
                const found = await table.lookupMany(keys, engine);
                expectSame(
                  found.map((value, index) => [keys[index]!, value === undefined ? Buffer.alloc(0) : value]),
                  golden,
                );
              } finally {
                table.close();
              }
            });
          }
          await expectErrorOrTruth(path, async () => {
            const table = TableFile.open(path);
            try {
              expectSame(await collect(scanTable(table, {})), golden);
            } finally {
              table.close();
            }
          });
        }),
        { numRuns: 300 },
      );
    });
  });

  it('is reported by verify with file and offset, and the walk goes on', async () => {
    await inFolder(async (folder) => {
      const path = await writePairs(folder, manyPairs(2000));
      const bytes = await readFile(path);
      bytes[EXO_PAGE_SIZE * 3 + 100]! ^= 1;
      bytes[EXO_PAGE_SIZE * 40 + 100]! ^= 1;
      await writeFile(path, bytes);
      const table = TableFile.open(path);
      const report = await verifyTable(table);
      expect(report.ok).toBe(false);
      expect(report.problems).toContainEqual(
        expect.objectContaining({ file: path, offset: EXO_PAGE_SIZE * 3 }),
      );
      expect(report.problems).toContainEqual(
        expect.objectContaining({ file: path, offset: EXO_PAGE_SIZE * 40 }),
      );
      expect(report.leafPages).toBeGreaterThan(100);
      table.close();
    });
  });

  it('with a valid checksum never leads a reader out of the file', async () => {
    await inFolder(async (folder) => {
      const intact = await readFile(await writePairs(folder, manyPairs(1200)));
      const pages = intact.length / EXO_PAGE_SIZE;
      const change = fc.tuple(
        fc.integer({ min: 1, max: pages - 1 }),
        fc.integer({ min: 4, max: 4095 }),
        fc.nat(255),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 60 }), async (changes) => {
          const hostile = Buffer.from(intact);
          for (const [page, at, byte] of changes) {
            const bytes = hostile.subarray(page * EXO_PAGE_SIZE, (page + 1) * EXO_PAGE_SIZE);
            bytes[at < 900 || at > 3900 ? at : at % 60 || 4] = byte;
            bytes.writeUInt32LE(crc32c(bytes.subarray(pageChecksumStart)), 0);
          }
          const source = memorySource(hostile);
          await expectErrorOrTruth('memory', () => collect(scanTable(source, {})));
          await expectErrorOrTruth('memory', () => collect(scanTable(source, { reverse: true })));
          for (const [key] of manyPairs(40))
            await expectErrorOrTruth('memory', () => getFromTable(source, key));
          await verifyTable(source);
        }),
        { numRuns: 100 },
      );
    });
  });
});

/** Damage shows as a typed error that names the file; anything else is a fault of ours. */
async function expectErrorOrTruth(path: string, read: () => Promise<unknown>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof ExopoolError)) throw error;
    expect(['EXOPOOL_CORRUPT', 'EXOPOOL_VERSION']).toContain(error.code);
    expect(error.message).toContain(path);
  }
}

describe('writeTable', () => {
  const place = (folder: string) => ({ folder, name: 't', tableId: 1n, createdMs: 0 });

  it('writes an empty table, and a value of the greatest length', async () => {
    await inFolder(async (folder) => {
      const empty = TableFile.open(await writePairs(folder, []));
      expect(empty.header).toMatchObject({ entries: 0, height: 0, fileSize: EXO_PAGE_SIZE });
      expect(await empty.lookupMany([Buffer.from('a')], 'pread')).toEqual([undefined]);
      expect(await collect(scanTable(empty, {}))).toEqual([]);
      empty.close();
      const pair: Pair = [Buffer.from('large'), Buffer.alloc(EXO_VALUE_MAX, 'v')];
      const table = TableFile.open(await writePairs(folder, [pair]));
      expect((await getFromTable(table, pair[0]))!.equals(pair[1])).toBe(true);
      for (const engine of availableEngines) {
        expect((await table.lookupMany([pair[0]], engine))[0]!.equals(pair[1])).toBe(true);
      }
      table.close();
    });
  });

  it('leaves nothing behind when aborted, before it begins or while it goes on', async () => {
    await inFolder(async (folder) => {
      const sources = { memtables: [memtableOf(manyPairs(6000))] };
      const aborted = { code: 'EXOPOOL_ABORTED', cause: { message: 'enough' } };
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(writeTable(place(folder), sources, { signal })).rejects.toMatchObject(aborted);
      const abort = new AbortController();
      const onStart = (): void => abort.abort(new Error('enough'));
      const hooks = { signal: abort.signal, bytesPerSecond: 1, onStart };
      await expect(writeTable(place(folder), sources, hooks)).rejects.toMatchObject(aborted);
      const onProgress = (): void => {
        throw new Error('no more');
      };
      const writing = writeTable(place(folder), sources, { bytesPerSecond: 1, onProgress });
      await expect(writing).rejects.toThrow('no more');
      expect(await readdir(folder)).toEqual([]);
    });
  });
});

describe('a filter', () => {
  it('that does not know a key of the table is reported by verify, and so are its damaged pages', async () => {
    await inFolder(async (folder) => {
      const path = await writePairs(folder, manyPairs(2000));
      const intact = await readFile(path);
      const { header } = memorySource(intact);
      expect(header.filterBlocks).toBeGreaterThanOrEqual(2000 / 24);
      const verified = async (change: (page: Buffer) => void): Promise<string[]> => {
        const bytes = Buffer.from(intact);
        const page = bytes.subarray(header.filter, header.filter + EXO_PAGE_SIZE);
        change(page);
        page.writeUInt32LE(crc32c(page.subarray(pageChecksumStart)), 0);
        return (await verifyTable(memorySource(bytes))).problems.map(({ message }) => message);
      };
      expect(await verified(() => undefined)).toEqual([]);
      expect(await verified((page) => page.fill(0, 64, 96))).toContainEqual(
        expect.stringContaining('the filter does not know the key'),
      );
      expect(await verified((page) => page.writeUInt8(1, 4))).toEqual([
        expect.stringContaining('not one of the filter'),
      ]);
    });
  });
});
