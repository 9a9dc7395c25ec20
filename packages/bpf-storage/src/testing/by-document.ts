/**
 * Readers of the three kinds of files, written from docs/table-format.md and docs/log-format.md alone: what these read
 * and the store reads is what the documents say. They check all that the documents state, and are not fast.
 */
import { crc32c } from '@exopool/native/internal';
import { expect } from 'vitest';

/** Keys and values in the order of the file; `null` for a deletion. */
export type Found = (readonly [key: Buffer, value: Buffer | null])[];

const number64 = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));
const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);
const pageBytes = 4096;

interface ManifestText {
  readonly format: string;
  readonly version: number;
  readonly next: number;
  readonly log: number;
  readonly tables: readonly {
    readonly file: string;
    readonly id: string;
    readonly entries: number;
    readonly bytes: number;
    readonly smallest: string;
    readonly largest: string;
  }[];
  readonly checksum: string;
}

export function readManifestByDocument(bytes: Buffer): ManifestText {
  const text = bytes.toString('utf8');
  expect(text).toMatch(/^\{.*\}\n$/);
  const [, body, checksum] = /^(.*),"checksum":"([0-9a-f]{8})"\}\n$/.exec(text)!;
  expect(
    crc32c(Buffer.from(`${body!}}`))
      .toString(16)
      .padStart(8, '0'),
  ).toBe(checksum);
  const manifest = JSON.parse(text) as ManifestText;
  expect(Object.keys(manifest)).toEqual(['format', 'version', 'next', 'log', 'tables', 'checksum']);
  expect(manifest).toMatchObject({ format: 'exopool-store', version: 2 });
  for (const table of manifest.tables) {
    expect(Object.keys(table)).toEqual(['file', 'id', 'entries', 'bytes', 'smallest', 'largest']);
    expect(table.file).toMatch(/^\d{6,}\.table$/);
    expect(table.id).toMatch(/^[0-9a-f]{16}$/);
  }
  return manifest;
}

interface Frame {
  readonly offset: number;
  readonly mark: number;
  readonly operations: Found;
}

export function readLogByDocument(bytes: Buffer): {
  id: bigint;
  number: number;
  previous: number;
  previousEnd: number;
  frames: Frame[];
} {
  expect(bytes.toString('latin1', 0, 8)).toBe('EXOPOLOG');
  expect(bytes.readUInt32LE(8)).toBe(1);
  expect(bytes.readUInt32LE(12)).toBe(crc32c(bytes.subarray(16, 48)));
  const frames: Frame[] = [];
  for (let at = 48; at < bytes.length;) {
    const frame = bytes.subarray(at);
    const length = frame.readUInt32LE(24);
    expect(frame.readUInt32LE(0)).toBe(
      crc32c(Buffer.concat([bytes.subarray(16, 24), frame.subarray(4, 32)])),
    );
    expect(frame.readUInt32LE(4)).toBe(crc32c(frame.subarray(32, 32 + length)));
    expect(number64(frame, 8)).toBe(at);
    expect(frame.readUInt8(28)).toBe(1);
    expect(isZero(frame.subarray(29, 32))).toBe(true);
    const end = Math.ceil((32 + length) / 8) * 8;
    expect(isZero(frame.subarray(32 + length, end))).toBe(true);
    const operations = operationsOf(frame.subarray(32, 32 + length));
    frames.push({ offset: at, mark: number64(frame, 16), operations });
    at += end;
  }
  return {
    id: bytes.readBigUInt64LE(16),
    number: number64(bytes, 24),
    previous: number64(bytes, 32),
    previousEnd: number64(bytes, 40),
    frames,
  };
}

function operationsOf(payload: Buffer): Found {
  const found: Found = [];
  for (let at = 0; at < payload.length;) {
    const kind = payload.readUInt8(at);
    const key = at + 8;
    const value = key + payload.readUInt16LE(at + 2);
    const end = value + payload.readUInt32LE(at + 4);
    expect(payload.readUInt8(at + 1)).toBe(0);
    expect([0, 2]).toContain(kind);
    if (kind === 2) expect(end).toBe(value);
    found.push([payload.subarray(key, value), kind === 2 ? null : payload.subarray(value, end)]);
    at = end;
  }
  return found;
}

export function readTableByDocument(bytes: Buffer): { id: bigint; entries: Found; createdMs: number } {
  expect(bytes.toString('latin1', 0, 8)).toBe('EXOTABLE');
  const version = bytes.readUInt32LE(8);
  expect([2, 3]).toContain(version);
  expect(bytes.readUInt32LE(12)).toBe(crc32c(bytes.subarray(16, pageBytes)));
  const zeroesAt = version === 2 ? 88 : 104;
  expect(isZero(bytes.subarray(36, 40)) && isZero(bytes.subarray(zeroesAt, pageBytes))).toBe(true);
  expect(number64(bytes, 48)).toBe(bytes.length);
  const height = bytes.readUInt32LE(32);
  const table = { bytes, id: bytes.subarray(16, 24), pages: [0, 0, 0] };
  const entries = height === 0 ? [] : entriesBelow(table, number64(bytes, 24), height - 1, Buffer.alloc(0));
  expect(entries.length).toBe(number64(bytes, 40));
  expect([56, 64, 72].map((at) => number64(bytes, at))).toEqual(table.pages);
  const filterPages = number64(bytes, 88) === 0 ? 0 : bytes.readUInt32LE(96);
  const treePages = table.pages.reduce((sum, pages) => sum + pages, 0);
  expect(1 + treePages + filterPages).toBe(bytes.length / pageBytes);
  if (filterPages > 0) checkFilter(table, filterPages, entries);
  return { id: bytes.readBigUInt64LE(16), entries, createdMs: number64(bytes, 80) };
}

interface TableBytes {
  readonly bytes: Buffer;
  readonly id: Buffer;
  /** Leaf, interior and value pages met. */
  readonly pages: number[];
}

const salts = [
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
];

/** Every key of the table passes its filter, and the filter's pages are what the document says. */
function checkFilter({ bytes, id }: TableBytes, pages: number, entries: Found): void {
  const start = number64(bytes, 88);
  expect([start % pageBytes, start + pages * pageBytes]).toEqual([0, bytes.length]);
  const blocks = bytes.readUInt32LE(100);
  expect(blocks).toBeGreaterThanOrEqual(Math.ceil(entries.length / 24));
  const filter: Buffer[] = [];
  for (let index = 0; index < pages; index += 1) {
    const page = bytes.subarray(start + index * pageBytes, start + (index + 1) * pageBytes);
    const count = page.readUInt16LE(6);
    expect(count).toBe(index + 1 < pages ? 127 : blocks - index * 127);
    expect(page.readUInt32LE(0)).toBe(crc32c(page.subarray(4)));
    expect([page.readUInt8(4), page.readUInt8(5)]).toEqual([3, 0]);
    expect(page.subarray(8, 16).equals(id)).toBe(true);
    expect(number64(page, 16)).toBe(start + index * pageBytes);
    expect(isZero(page.subarray(24, 32)) && isZero(page.subarray(32 + count * 32))).toBe(true);
    filter.push(page.subarray(32, 32 + count * 32));
  }
  const words = Buffer.concat(filter);
  for (const [key] of entries) {
    const hash = xxh64(key);
    const block = Number(((hash >> 32n) * BigInt(blocks)) >> 32n);
    for (const [word, salt] of salts.entries()) {
      const bit = Math.imul(Number(hash & 0xffffffffn), salt) >>> 27;
      expect((words.readUInt32LE(block * 32 + word * 4) >>> bit) & 1).toBe(1);
    }
  }
}

const mask = (1n << 64n) - 1n;
const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & mask;
const primes: readonly [bigint, bigint, bigint, bigint, bigint] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];

/** XXH64 with seed 0, after its specification. */
function xxh64(bytes: Buffer): bigint {
  const [p1, p2, p3, p4, p5] = primes;
  const round = (sum: bigint, lane: bigint): bigint => (rotate((sum + lane * p2) & mask, 31n) * p1) & mask;
  let at = 0;
  let hash: bigint = p5;
  if (bytes.length >= 32) {
    const sums = [p1 + p2, p2, 0n, -p1].map((sum) => sum & mask);
    for (; at + 32 <= bytes.length; at += 32) {
      for (const lane of [0, 1, 2, 3]) sums[lane] = round(sums[lane]!, bytes.readBigUInt64LE(at + lane * 8));
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, bits, lane) => sum + rotate(sums[lane]!, bits), 0n) & mask;
    for (const sum of sums) hash = ((hash ^ round(0n, sum)) * p1 + p4) & mask;
  }
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8)
    hash = (rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * p1 + p4) & mask;
  for (; at + 4 <= bytes.length; at += 4)
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * p1) & mask), 23n) * p2 + p3) & mask;
  for (; at < bytes.length; at += 1)
    hash = (rotate(hash ^ ((BigInt(bytes[at]!) * p5) & mask), 11n) * p1) & mask;
  hash = ((hash ^ (hash >> 33n)) * p2) & mask;
  hash = ((hash ^ (hash >> 29n)) * p3) & mask;
  return hash ^ (hash >> 32n);
}

/** @param lower no key of the page is less. */
function entriesBelow(table: TableBytes, offset: number, level: number, lower: Buffer): Found {
  expect(offset % pageBytes).toBe(0);
  const page = table.bytes.subarray(offset, offset + pageBytes);
  table.pages[level === 0 ? 0 : 1]! += 1;
  expect(page.readUInt32LE(0)).toBe(crc32c(page.subarray(4)));
  expect([page.readUInt8(4), page.readUInt8(5)]).toEqual([level === 0 ? 1 : 2, level]);
  expect(page.subarray(8, 16).equals(table.id)).toBe(true);
  expect(number64(page, 16)).toBe(offset);
  expect(isZero(page.subarray(26, 32))).toBe(true);
  const count = page.readUInt16LE(6);
  expect(count >= 1 && count <= 338).toBe(true);
  const cells = 32 + 8 * count + page.readUInt16LE(24);
  const prefix = page.subarray(32 + 8 * count, cells);
  const found: Found = [];
  let last = lower;
  for (let index = 0; index < count; index += 1) {
    const slot = page.subarray(32 + 8 * index, 40 + 8 * index);
    const [cell, suffixBytes] = [slot.readUInt16LE(4), slot.readUInt16LE(6)];
    const suffixAt = cell + (level === 0 ? 4 : 8);
    const suffix = page.subarray(suffixAt, suffixAt + suffixBytes);
    expect(cell >= cells && suffixAt + suffixBytes <= pageBytes).toBe(true);
    expect(slot.readUInt32LE(0)).toBe(Buffer.concat([suffix, Buffer.alloc(4)]).readUInt32BE(0));
    const isFirst = level > 0 && index === 0;
    if (isFirst) expect(suffixBytes).toBe(0);
    const key = isFirst ? lower : Buffer.concat([prefix, suffix]);
    const order = Buffer.compare(last, key);
    expect(order < 0 || (order === 0 && index === 0)).toBe(true);
    last = key;
    if (level === 0) found.push([key, valueOf(table, page, cell, suffixAt + suffixBytes)]);
    else found.push(...entriesBelow(table, number64(page, cell), level - 1, key));
  }
  return found;
}

function valueOf(table: TableBytes, page: Buffer, cell: number, at: number): Buffer | null {
  const [length, kind] = [page.readUInt16LE(cell), page.readUInt8(cell + 2)];
  expect(page.readUInt8(cell + 3)).toBe(0);
  if (kind === 2) {
    expect(length).toBe(0);
    return null;
  }
  if (kind === 0) {
    expect(length).toBeLessThanOrEqual(1024);
    return page.subarray(at, at + length);
  }
  expect([kind, length]).toEqual([1, 16]);
  const [start, bytes] = [number64(page, at), page.readUInt32LE(at + 8)];
  expect(start % pageBytes === 0 && bytes > 1024).toBe(true);
  const pages = Math.ceil(bytes / pageBytes);
  table.pages[2]! += pages;
  const value = table.bytes.subarray(start, start + bytes);
  expect(page.readUInt32LE(at + 12)).toBe(crc32c(value));
  expect(isZero(table.bytes.subarray(start + bytes, start + pages * pageBytes))).toBe(true);
  return value;
}
