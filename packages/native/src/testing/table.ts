/**
 * Builds table files for tests: small, in memory, and written from the format's description alone (table_format.h),
 * so that the readers are tested against something that shares no code with them. Sizes are typed again on purpose:
 * this is an independent oracle.
 */
import { crc32c } from '../table/checksum.js';
import { filterBlocks } from './filter.js';

export const pageBytes = 4096;
const pageHeaderBytes = 32;
const slotBytes = 8;
const inlineValueMaxBytes = 1024;
export const pageType = { leaf: 1, interior: 2, filter: 3 } as const;
const filterPageBlocks = 127;
const filterBlockBytes = 32;

/** `null` makes a tombstone. */
export type Entry = readonly [key: Buffer, value: Buffer | null];

export interface FixtureOptions {
  /** Fewer slots in a page make a higher tree of the same entries. Default 338, the most that fit. */
  readonly slotsPerPage?: number;
  readonly tableId?: bigint;
  readonly version?: number;
  /** Keys a block of the filter (24 as a rule); without it there is none. */
  readonly filterBlockKeys?: number;
}

/** A key with what its cell holds besides the key. */
interface Cell {
  readonly key: Buffer;
  readonly head: Buffer;
  readonly tail: Buffer;
}

function commonPrefixBytes(a: Buffer, b: Buffer): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}

/** Writes a page's checksum, after its bytes were chosen. */
export function sealPage(page: Buffer): Buffer {
  page.writeUInt32LE(crc32c(page.subarray(4)), 0);
  return page;
}

/** Writes the header page's checksum. */
export function sealHeader(page: Buffer): Buffer {
  page.writeUInt32LE(crc32c(page.subarray(16)), 12);
  return page;
}

class TableBuilder {
  readonly pages: Buffer[] = [];
  readonly counts = { leaf: 0, interior: 0, value: 0 };

  constructor(
    private readonly slotsPerPage: number,
    private readonly tableId: bigint,
  ) {}

  get nextOffset(): number {
    return (this.pages.length + 1) * pageBytes;
  }

  valueCell([key, value]: Entry): Cell {
    const head = Buffer.alloc(4);
    if (value === null) {
      head.writeUInt8(2, 2);
      return { key, head, tail: Buffer.alloc(0) };
    }
    if (value.length <= inlineValueMaxBytes) {
      head.writeUInt16LE(value.length, 0);
      return { key, head, tail: value };
    }
    const reference = Buffer.alloc(16);
    reference.writeBigUInt64LE(BigInt(this.nextOffset), 0);
    reference.writeUInt32LE(value.length, 8);
    reference.writeUInt32LE(crc32c(value), 12);
    for (let at = 0; at < value.length; at += pageBytes) {
      const page = Buffer.alloc(pageBytes);
      value.copy(page, 0, at);
      this.pages.push(page);
      this.counts.value += 1;
    }
    head.writeUInt16LE(reference.length, 0);
    head.writeUInt8(1, 2);
    return { key, head, tail: reference };
  }

  /** Cuts one level's cells into pages; gives the cells of the level above. */
  level(cells: readonly Cell[], level: number): Cell[] {
    const parents: Cell[] = [];
    for (let first = 0; first < cells.length;) {
      let end = first + 1;
      while (
        end < cells.length &&
        end - first < this.slotsPerPage &&
        fits(cells.slice(first, end + 1), level)
      )
        end += 1;
      const child = Buffer.alloc(8);
      child.writeBigUInt64LE(BigInt(this.nextOffset));
      const separator =
        first === 0 ? cells[0]!.key : shortestSeparator(cells[first - 1]!.key, cells[first]!.key);
      parents.push({ key: level === 0 ? separator : cells[first]!.key, head: child, tail: Buffer.alloc(0) });
      this.pages.push(this.page(cells.slice(first, end), level));
      this.counts[level === 0 ? 'leaf' : 'interior'] += 1;
      first = end;
    }
    return parents;
  }

  /** The filter's pages. */
  filter(blocks: Buffer): void {
    for (let at = 0; at < blocks.length; at += filterPageBlocks * filterBlockBytes) {
      const some = blocks.subarray(at, at + filterPageBlocks * filterBlockBytes);
      const page = Buffer.alloc(pageBytes);
      page.writeUInt8(pageType.filter, 4);
      page.writeUInt16LE(some.length / filterBlockBytes, 6);
      page.writeBigUInt64LE(this.tableId, 8);
      page.writeBigUInt64LE(BigInt(this.nextOffset), 16);
      some.copy(page, pageHeaderBytes);
      this.pages.push(sealPage(page));
    }
  }

  private page(cells: readonly Cell[], level: number): Buffer {
    const page = Buffer.alloc(pageBytes);
    const prefix = pagePrefix(cells, level);
    page.writeUInt8(level === 0 ? pageType.leaf : pageType.interior, 4);
    page.writeUInt8(level, 5);
    page.writeUInt16LE(cells.length, 6);
    page.writeBigUInt64LE(this.tableId, 8);
    page.writeBigUInt64LE(BigInt(this.nextOffset), 16);
    page.writeUInt16LE(prefix.length, 24);
    prefix.copy(page, pageHeaderBytes + slotBytes * cells.length);
    let free = pageBytes;
    cells.forEach((cell, index) => {
      const suffix = cellSuffix(cell, index, level, prefix.length);
      const bytes = Buffer.concat([cell.head, suffix, cell.tail]);
      free -= bytes.length;
      bytes.copy(page, free);
      const slot = pageHeaderBytes + slotBytes * index;
      page.writeUInt32LE(Buffer.concat([suffix, Buffer.alloc(4)]).readUInt32BE(0), slot);
      page.writeUInt16LE(free, slot + 4);
      page.writeUInt16LE(suffix.length, slot + 6);
    });
    return sealPage(page);
  }
}

/** The first key of an interior page stands for minus infinity and takes no part in the prefix. */
function pagePrefix(cells: readonly Cell[], level: number): Buffer {
  const first = cells[level === 0 ? 0 : 1]?.key ?? Buffer.alloc(0);
  return first.subarray(0, commonPrefixBytes(first, cells.at(-1)!.key));
}

function cellSuffix(cell: Cell, index: number, level: number, prefixLength: number): Buffer {
  return level > 0 && index === 0 ? Buffer.alloc(0) : cell.key.subarray(prefixLength);
}

function fits(cells: readonly Cell[], level: number): boolean {
  const prefix = pagePrefix(cells, level).length;
  const cellBytes = cells.map((cell, index) => {
    return cell.head.length + cellSuffix(cell, index, level, prefix).length + cell.tail.length + slotBytes;
  });
  return pageHeaderBytes + prefix + cellBytes.reduce((sum, bytes) => sum + bytes, 0) <= pageBytes;
}

/** The shortest key k with before < k <= after. */
function shortestSeparator(before: Buffer, after: Buffer): Buffer {
  return after.subarray(0, commonPrefixBytes(before, after) + 1);
}

/** The bytes of a table with these entries, whose keys must differ. */
export function buildTable(entries: Iterable<Entry>, options: FixtureOptions = {}): Buffer {
  const { slotsPerPage = 338, tableId = 0x1122334455667788n, version = 3, filterBlockKeys } = options;
  const sorted = [...entries].sort(([a], [b]) => Buffer.compare(a, b));
  const builder = new TableBuilder(slotsPerPage, tableId);
  let cells = sorted.map((entry) => builder.valueCell(entry));
  let height = 0;
  while (cells.length > 1 || (height === 0 && cells.length === 1)) {
    cells = builder.level(cells, height);
    height += 1;
  }
  const root = height === 0 ? 0 : builder.pages.length * pageBytes;
  const filter = builder.nextOffset;
  const blocks = filterBlockKeys === undefined ? 0 : Math.ceil(sorted.length / filterBlockKeys);
  const keys = sorted.map(([key]) => key);
  builder.filter(filterBlocks(keys, blocks));
  const header = Buffer.alloc(pageBytes);
  header.write('EXOTABLE', 'latin1');
  header.writeUInt32LE(version, 8);
  const fields = [
    tableId,
    root,
    height, // and the reserved word after it
    sorted.length,
    (builder.pages.length + 1) * pageBytes,
    builder.counts.leaf,
    builder.counts.interior,
    builder.counts.value,
    1_700_000_000_000,
    blocks === 0 ? 0 : filter,
  ];
  fields.forEach((field, index) => header.writeBigUInt64LE(BigInt(field), 16 + 8 * index));
  header.writeUInt32LE((builder.nextOffset - filter) / pageBytes, 96);
  header.writeUInt32LE(blocks, 100);
  return Buffer.concat([sealHeader(header), ...builder.pages]);
}
