/**
 * The byte layout of a table file, as TypeScript numbers.
 *
 * `packages/native/include/table_format.h` is the contract, for the BPF program, the addon and this package. The
 * names here are the header's own, so one search finds both; the spec parses the header and compares each value,
 * each size and each field's offset. All integers are little-endian, all offsets count from the file's start.
 */

export const EXO_TABLE_MAGIC = 'EXOTABLE';
export const EXO_TABLE_VERSION = 3;
export const EXO_PAGE_SIZE = 4096;
export const EXO_KEY_MAX = 511;
export const EXO_INLINE_VALUE_MAX = 1024;
export const EXO_VALUE_MAX = 16 * 1024 * 1024;
export const EXO_HEIGHT_MAX = 16;
export const EXO_SLOTS_MAX = 338;

export const EXO_PAGE_LEAF = 1;
export const EXO_PAGE_INTERIOR = 2;
export const EXO_PAGE_FILTER = 3;
export const EXO_VALUE_INLINE = 0;
export const EXO_VALUE_OUTLINE = 1;
export const EXO_VALUE_TOMBSTONE = 2;

/** Offsets of the fields of `struct exo_table_header`. */
export const tableHeader = {
  magic: 0,
  version: 8,
  checksum: 12,
  table_id: 16,
  root: 24,
  height: 32,
  entries: 40,
  file_size: 48,
  leaf_pages: 56,
  interior_pages: 64,
  value_pages: 72,
  created_ms: 80,
  filter: 88,
  filter_pages: 96,
  filter_blocks: 100,
} as const;
/** The header page's checksum covers what follows it. */
export const tableHeaderChecksumStart = 16;

/** Offsets of the fields of `struct exo_page_header`, and its size. */
export const pageHeader = {
  checksum: 0,
  type: 4,
  level: 5,
  count: 6,
  table_id: 8,
  offset: 16,
  prefix_len: 24,
} as const;
export const pageHeaderBytes = 32;
export const pageChecksumStart = 4;

/** Offsets in `struct exo_slot`, and its size. */
export const slot = { head: 0, cell: 4, suffix_len: 6 } as const;
export const slotBytes = 8;

/** Offsets in `struct exo_leaf_cell`, and its size; the key suffix follows, then the value. */
export const leafCell = { value_len: 0, kind: 2 } as const;
export const leafCellBytes = 4;

/** Size of `struct exo_interior_cell`, which is the child's offset; the key suffix follows. */
export const interiorCellBytes = 8;

/** Offsets in `struct exo_value_ref`, and its size. */
export const valueRef = { offset: 0, length: 8, checksum: 12 } as const;
export const valueRefBytes = 16;

/** A block of the filter, and how many a page of it has (table_filter.h). */
export const EXO_FILTER_BLOCK_BYTES = 32;
export const EXO_FILTER_PAGE_BLOCKS = 127;

const highWord = 2 ** 32;

/** A 64-bit integer as a number. Past 2^53 it loses precision, and is then past every bound it is checked against. */
export function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * highWord;
}

export function writeUint64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % highWord, at);
  bytes.writeUInt32LE(Math.floor(value / highWord), at + 4);
}

/** A slot's head: the first four bytes of the suffix `bytes[start, end)` as a big-endian number, zero-padded. */
export function suffixHead(bytes: Buffer, start: number, end: number): number {
  if (end - start >= 4) return bytes.readUInt32BE(start);
  let head = 0;
  for (let at = start; at < start + 4; at += 1) head = head * 256 + (at < end ? bytes[at]! : 0);
  return head;
}

/** `bytes` rounded up to whole pages. */
export function pagesFor(bytes: number): number {
  return Math.ceil(bytes / EXO_PAGE_SIZE);
}
