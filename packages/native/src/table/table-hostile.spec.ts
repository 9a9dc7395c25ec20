/** Bytes that are wrong: flipped by accident, or arranged on purpose with checksums that fit. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { skipWithout } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExopoolError } from '@exopool/shared';
import { TableFile } from './table-file.js';
import { tableEngineSupport } from './engine-support.js';
import type { TableEngine } from './table-engine.js';
import { buildTable, pageBytes, sealHeader, sealPage, type Entry } from '../testing/table.js';

const entries = Array.from({ length: 60 }, (_, i): Entry => {
  const key = Buffer.from(`common/prefix/${String(i).padStart(3, '0')}/${'long suffix '.repeat(i % 3)}`);
  return [key, i % 10 === 7 ? null : Buffer.alloc(i % 20 === 0 ? 1500 : 10 + i, i)];
});
/** Three levels: leaves of up to 6 keys, 10 of them under 2 interior pages, and the root. */
const sound = buildTable(entries, { slotsPerPage: 6, filterBlockKeys: 24 });
const offsetsOf = {
  versionStart: 8,
  versionEnd: 12,
  root: 24,
  height: 32,
  entries: 40,
  filter: 88,
  filterPages: 96,
  filterBlocks: 100,
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-hostile-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The values of all entries from a file with these bytes, or the error. */
async function lookUpAll(
  bytes: Buffer,
  engine: TableEngine,
): Promise<(Buffer | null | undefined)[] | ExopoolError> {
  const file = path.join(folder, 'table');
  rmSync(file, { force: true });
  writeFileSync(file, bytes);
  try {
    const table = TableFile.open(file, { cacheInterior: false });
    try {
      return await table.lookupMany(
        entries.map(([key]) => key),
        engine,
      );
    } finally {
      table.close();
    }
  } catch (error) {
    if (!(error instanceof ExopoolError)) throw error;
    expect(error.message).toContain(file);
    return error;
  }
}

/** A copy of the sound table with one page changed and its checksum made to fit. */
function withPage(offset: number, change: (page: Buffer) => void): Buffer {
  const bytes = Buffer.from(sound);
  const page = bytes.subarray(offset, offset + pageBytes);
  change(page);
  if (offset === 0) sealHeader(page);
  else sealPage(page);
  return bytes;
}

const rootOffset = Number(sound.readBigUInt64LE(offsetsOf.root));
const rootCell = sound.readUInt16LE(rootOffset + 32 + 8 + 4);
const childOfRoot = Number(sound.readBigUInt64LE(rootOffset + sound.readUInt16LE(rootOffset + 32 + 4)));
const leafOffset = Number(sound.readBigUInt64LE(childOfRoot + sound.readUInt16LE(childOfRoot + 32 + 4)));

const hostile: { name: string; named: number; bytes: Buffer }[] = [];
/** `named`: the offset that the error must name, when it is not that of the changed page. */
function arrange(name: string, offset: number, change: (page: Buffer) => void, named = offset): void {
  hostile.push({ name, named, bytes: withPage(offset, change) });
}
const setChild = (child: bigint) => (page: Buffer) => page.writeBigUInt64LE(child, rootCell);
arrange('a child that is its own parent', rootOffset, setChild(BigInt(rootOffset)));
arrange('a child beyond the file', rootOffset, setChild(BigInt(sound.length)));
arrange('a child at the top of the address space', rootOffset, setChild(2n ** 64n - 4096n));
arrange('a child off the page grid', rootOffset, setChild(4097n));
arrange('a child that is the header page', rootOffset, setChild(0n));
arrange('a child two levels down', rootOffset, setChild(BigInt(leafOffset)), leafOffset);
arrange('a page with 65535 slots', rootOffset, (page) => page.writeUInt16LE(65_535, 6));
arrange('a page without slots', rootOffset, (page) => page.writeUInt16LE(0, 6));
arrange('a page of an unknown type', rootOffset, (page) => page.writeUInt8(3, 4));
arrange('a leaf that calls itself interior', leafOffset, (page) => page.writeUInt8(2, 4));
arrange('a prefix longer than a page', leafOffset, (page) => page.writeUInt16LE(65_535, 24));
arrange('a cell in the slots', leafOffset, (page) => page.writeUInt16LE(40, 36));
arrange('a cell beyond the page', leafOffset, (page) => page.writeUInt16LE(65_535, 36));
arrange('a suffix beyond the page', leafOffset, (page) => page.writeUInt16LE(65_535, 38));
arrange('a value beyond the page', leafOffset, (page) => page.writeUInt16LE(65_535, page.readUInt16LE(36)));
arrange('a value of an unknown kind', leafOffset, (page) => page.writeUInt8(9, page.readUInt16LE(36) + 2));
arrange('a tombstone with a value', leafOffset, (page) => page.writeUInt8(2, page.readUInt16LE(36) + 2));
arrange('a first separator that is not minus infinity', rootOffset, (page) => page.writeUInt16LE(4, 38));
arrange('a page of another table', leafOffset, (page) => page.writeBigUInt64LE(1n, 8));
arrange('a page of another place', leafOffset, (page) => page.writeBigUInt64LE(4096n, 16));
arrange(
  'a root that is a leaf',
  0,
  (page) => page.writeBigUInt64LE(BigInt(leafOffset), offsetsOf.root),
  leafOffset,
);
arrange('a table lower than it says', 0, (page) => page.writeUInt32LE(8, offsetsOf.height), rootOffset);
arrange('a table higher than any', 0, (page) => page.writeUInt32LE(0xffff_ffff, offsetsOf.height));
arrange('more entries than its pages hold', 0, (page) => page.writeBigUInt64LE(1n << 40n, offsetsOf.entries));
arrange('a filter beyond the file', 0, (page) => {
  page.writeBigUInt64LE(BigInt(sound.length), offsetsOf.filter);
});
arrange('a filter of more pages than follow', 0, (page) => {
  page.writeUInt32LE(2, offsetsOf.filterPages);
  page.writeUInt32LE(128, offsetsOf.filterBlocks);
});
arrange('a filter of too few pages', 0, (page) => page.writeUInt32LE(0xffff_ffff, offsetsOf.filterBlocks));
arrange('a filter without blocks', 0, (page) => page.writeUInt32LE(0, offsetsOf.filterBlocks));
arrange('a root beyond the file', 0, (page) => page.writeBigUInt64LE(2n ** 63n, offsetsOf.root));

describe.each(tableEngineSupport())('hostile bytes read by $engine', ({ engine, reason }) => {
  it('never become a wrong value when any byte of the file is flipped', async (ctx) => {
    skipWithout(ctx, engine, reason);
    let errors = 0;
    // Every byte of the header's fields, and a stride through all pages that is coprime to their size.
    for (let at = 0; at < sound.length; at += at < 104 ? 1 : 61) {
      const bytes = Buffer.from(sound);
      bytes[at]! ^= 0x41;
      const outcome = await lookUpAll(bytes, engine);
      if (outcome instanceof ExopoolError) {
        const inVersion = at >= offsetsOf.versionStart && at < offsetsOf.versionEnd;
        expect(outcome.code).toBe(inVersion ? 'EXOPOOL_VERSION' : 'EXOPOOL_CORRUPT');
        const named = Number(/offset (\d+)/.exec(outcome.message)?.[1] ?? 0);
        const pageOfByte = at - (at % pageBytes);
        if (!inVersion && pageOfByte !== 0) expect(named).toBe(pageOfByte);
        errors += 1;
      } else {
        expect(outcome).toEqual(entries.map(([, value]) => value));
      }
    }
    expect(errors).toBeGreaterThan(100);
  });

  it.for(hostile)('$name is an error that names its offset', async ({ named, bytes }, ctx) => {
    skipWithout(ctx, engine, reason);
    const outcome = await lookUpAll(bytes, engine);
    expect(outcome).toMatchObject({ code: 'EXOPOOL_CORRUPT' });
    expect((outcome as Error).message).toContain(`(offset ${named})`);
  });
});
