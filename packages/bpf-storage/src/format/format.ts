/**
 * The byte layout of a table file, as TypeScript numbers.
 *
 * `packages/native/include/table_format.h` is the contract, for the BPF program, the addon and this package: names,
 * numbers and offsets of fields are made of it. All integers are little-endian, all offsets count from the file's start.
 */
import { EXO_PAGE_SIZE, pageHeader, tableHeader } from '@exopool/native/contracts';

export {
  EXO_FILTER_BLOCK_BYTES,
  EXO_FILTER_PAGE_BLOCKS,
  EXO_INLINE_VALUE_MAX,
  EXO_KEY_MAX,
  EXO_PAGE_FILTER,
  EXO_PAGE_INTERIOR,
  EXO_PAGE_LEAF,
  EXO_PAGE_SIZE,
  EXO_SLOTS_MAX,
  EXO_TABLE_MAGIC,
  EXO_VALUE_INLINE,
  EXO_VALUE_MAX,
  EXO_VALUE_OUTLINE,
  EXO_VALUE_TOMBSTONE,
  interiorCellBytes,
  leafCell,
  leafCellBytes,
  pageHeader,
  pageHeaderBytes,
  slot,
  slotBytes,
  tableHeader,
  valueRef,
  valueRefBytes,
} from '@exopool/native/contracts';

/** The checksums of the header page and of the others cover what follows them. */
export const tableHeaderChecksumStart = tableHeader.table_id;
export const pageChecksumStart = pageHeader.type;

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
