import fc from 'fast-check';
import { tableEngineSupport } from '@exopool/native';
import { Memtable, type TableHeader } from '@exopool/native/internal';
import { tombstone, type Entry } from '../format/entry.js';
import { EXO_PAGE_SIZE, readUint64, tableHeader } from '../format/format.js';
import { encodeFrame, framePayload } from '../log/log-format.js';
import type { PageSource } from '../tables/table-reader.js';
import { writeTable } from '../tables/write-table.js';

export type Pair = readonly [key: Buffer, value: Buffer];
/** An entry of a table; `null` is a tombstone, as in the results of a lookup. */
export type Cell = readonly [key: Buffer, value: Buffer | null];

export const support = tableEngineSupport();
export const availableEngines = support.filter(({ available }) => available).map(({ engine }) => engine);

/** Sorted, each key once, the last one wins. */
export function sortPairs<P extends Cell>(pairs: Iterable<P>): P[] {
  const unique = new Map([...pairs].map((pair) => [pair[0].toString('latin1'), pair]));
  return [...unique.values()].sort(([a], [b]) => Buffer.compare(a, b));
}

export function memtableOf(pairs: Iterable<Cell>): Memtable {
  const entries = [...pairs].map(([key, value]): Entry => ({ key, value: value ?? tombstone }));
  const memtable = new Memtable();
  memtable.apply(framePayload(encodeFrame(entries)), entries.length, 1);
  return memtable;
}

/** Writes `pairs`, sorted, as `folder/test.table`, always with the same id and time. @returns its path. */
export async function writePairs(folder: string, pairs: Iterable<Cell>): Promise<string> {
  const memtable = memtableOf(pairs);
  const options = { folder, name: 'test.table', tableId: 0x0123456789abcdefn, createdMs: 1_700_000_000_000 };
  const { path } = await writeTable(options, { memtables: [memtable] });
  memtable.release();
  return path;
}

/** Bytes that share prefixes and ends, in short and in the longest lengths. */
export const keyArbitrary: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[ab]{1,6}$/).map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 480, max: 510 }), fc.integer({ min: 0, max: 255 }))
      .map(([length, last]) => Buffer.concat([Buffer.alloc(length, 'k'), Buffer.of(last)])),
  },
);

/** Values on both sides of each limit of the format that can be tried quickly. */
export const valueArbitrary: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(0, 1023, 1024, 1025, 4096, 4097, 9000)),
    fc.integer({ min: 0, max: 255 }),
  )
  .map(([length, fill]) => Buffer.alloc(length, fill));

export const pairsArbitrary = fc
  .array(fc.tuple(keyArbitrary, valueArbitrary), { maxLength: 120 })
  .map(sortPairs);

export const cellsArbitrary = fc
  .array(fc.tuple(keyArbitrary, fc.option(valueArbitrary, { freq: 8 })), { maxLength: 120 })
  .map((cells): Cell[] => sortPairs(cells));

/** A table in memory that hands out pages without checking them, as a hostile file system might. */
export function memorySource(bytes: Buffer): PageSource {
  const header: TableHeader = {
    version: bytes.readUInt32LE(tableHeader.version),
    tableId: bytes.readBigUInt64LE(tableHeader.table_id),
    root: readUint64(bytes, tableHeader.root),
    height: bytes.readUInt32LE(tableHeader.height),
    entries: readUint64(bytes, tableHeader.entries),
    fileSize: bytes.length,
    leafPages: readUint64(bytes, tableHeader.leaf_pages),
    interiorPages: readUint64(bytes, tableHeader.interior_pages),
    valuePages: readUint64(bytes, tableHeader.value_pages),
    createdMs: readUint64(bytes, tableHeader.created_ms),
    filter: readUint64(bytes, tableHeader.filter),
    filterPages: bytes.readUInt32LE(tableHeader.filter_pages),
    filterBlocks: bytes.readUInt32LE(tableHeader.filter_blocks),
  };
  const readPages = (offset: number, count: number): Promise<Buffer> =>
    Promise.resolve(bytes.subarray(offset, offset + count * EXO_PAGE_SIZE));
  return { path: 'memory', header, readPages, readPage: (offset) => readPages(offset, 1) };
}
