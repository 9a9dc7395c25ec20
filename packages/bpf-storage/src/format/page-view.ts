/**
 * Reads one page of the tree, and trusts none of its fields.
 *
 * A checksum detects decay; it does not tell who wrote the page. So every length and offset is checked against the page
 * before it is used. A contradiction is `EXOPOOL_CORRUPT` with file and offset. Reading is safe on any 4096 bytes.
 */
import { crc32c } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { tombstone, type Tombstone } from './entry.js';
import {
  EXO_INLINE_VALUE_MAX,
  EXO_KEY_MAX,
  EXO_PAGE_INTERIOR,
  EXO_PAGE_LEAF,
  EXO_PAGE_SIZE,
  EXO_SLOTS_MAX,
  EXO_VALUE_INLINE,
  EXO_VALUE_MAX,
  EXO_VALUE_OUTLINE,
  EXO_VALUE_TOMBSTONE,
  interiorCellBytes,
  leafCell,
  leafCellBytes,
  pageChecksumStart,
  pageHeader,
  pageHeaderBytes,
  pagesFor,
  readUint64,
  slot,
  slotBytes,
  suffixHead,
  valueRef,
  valueRefBytes,
} from './format.js';

/** What a page must agree with. */
export interface PageContext {
  readonly path: string;
  /** Offset of the page in the file, bytes. */
  readonly offset: number;
  readonly fileSize: number;
  readonly tableId: bigint;
}

/** A value outside of its leaf. */
export interface ValueReference {
  readonly offset: number;
  readonly length: number;
  readonly checksum: number;
}

/** The error for damaged bytes of a file. @param offset bytes from the file's start. */
export function corrupt(path: string, offset: number, what: string): ExopoolError {
  const remedy = 'put back an intact copy, or load the data again';
  return new ExopoolError('EXOPOOL_CORRUPT', `${path}: ${what} (offset ${offset}); ${remedy}`);
}

/** Checks checksum, table and place of a raw page. @throws ExopoolError `EXOPOOL_CORRUPT`. */
export function checkPage(page: Buffer, context: PageContext): void {
  const stored = page.readUInt32LE(pageHeader.checksum);
  const problem =
    stored !== crc32c(page.subarray(pageChecksumStart))
      ? 'the checksum of the page does not match'
      : page.readBigUInt64LE(pageHeader.table_id) !== context.tableId
        ? 'the page belongs to another table'
        : readUint64(page, pageHeader.offset) !== context.offset
          ? 'the page belongs elsewhere in the file'
          : undefined;
  if (problem !== undefined) throw corrupt(context.path, context.offset, problem);
}

/** One verified page of a table. Each accessor checks the bytes that it uses. */
export class PageView {
  readonly count: number;
  readonly #prefixLength: number;
  /** First byte that a cell may use. */
  readonly #cellsStart: number;

  /**
   * @param level that the page must have: 0 for a leaf.
   * @throws ExopoolError `EXOPOOL_CORRUPT`.
   */
  constructor(
    private readonly page: Buffer,
    private readonly context: PageContext,
    readonly level: number,
  ) {
    this.count = page.readUInt16LE(pageHeader.count);
    this.#prefixLength = page.readUInt16LE(pageHeader.prefix_len);
    this.#cellsStart = pageHeaderBytes + this.count * slotBytes + this.#prefixLength;
    const type = level === 0 ? EXO_PAGE_LEAF : EXO_PAGE_INTERIOR;
    this.#require(page.readUInt8(pageHeader.type) === type, 'the page has the wrong type');
    this.#require(page.readUInt8(pageHeader.level) === level, 'the page has the wrong level');
    this.#require(this.count >= 1 && this.count <= EXO_SLOTS_MAX, 'the count of slots is out of range');
    this.#require(this.#prefixLength <= EXO_KEY_MAX, 'the prefix is longer than a key');
    this.#require(this.#cellsStart <= EXO_PAGE_SIZE, 'slots and prefix do not fit in the page');
  }

  /** The whole key of a slot. Slot 0 of an interior page stands for minus infinity and has the empty key. */
  key(index: number): Buffer {
    const { start, end } = this.#suffix(index);
    if (this.level > 0 && index === 0) return this.page.subarray(start, end);
    const key = Buffer.allocUnsafe(this.#prefixLength + end - start);
    this.page.copy(key, 0, this.#cellsStart - this.#prefixLength, this.#cellsStart);
    this.page.copy(key, this.#prefixLength, start, end);
    return key;
  }

  /** The first slot whose key is at least `key`; `count` if there is none. */
  lowerBound(key: Buffer): number {
    return this.#search(0, (index) => this.#compare(index, key) < 0);
  }

  /** The first slot whose key is greater than `key`. */
  upperBound(key: Buffer): number {
    return this.#search(0, (index) => this.#compare(index, key) <= 0);
  }

  /** The slot of an interior page whose child holds `key`. */
  childIndex(key: Buffer): number {
    return this.#search(1, (index) => this.#compare(index, key) <= 0) - 1;
  }

  /** File offset of a slot's child. */
  child(index: number): number {
    const cell = this.#cell(index, interiorCellBytes);
    const offset = readUint64(this.page, cell);
    this.#require(this.#isPageRun(offset, 1), `slot ${index} points outside of the file`);
    return offset;
  }

  /** The value of a slot: a part of the page, a reference to other pages, or the tombstone. */
  value(index: number): Buffer | ValueReference | Tombstone {
    const cell = this.#cell(index, leafCellBytes);
    const kind = this.page.readUInt8(cell + leafCell.kind);
    const length = this.page.readUInt16LE(cell + leafCell.value_len);
    const start = this.#suffix(index).end;
    this.#require(start + length <= EXO_PAGE_SIZE, `the value of slot ${index} leaves the page`);
    if (kind === EXO_VALUE_INLINE) {
      this.#require(length <= EXO_INLINE_VALUE_MAX, `the inline value of slot ${index} is too long`);
      return this.page.subarray(start, start + length);
    }
    if (kind === EXO_VALUE_TOMBSTONE) {
      this.#require(length === 0, `the tombstone of slot ${index} has a value`);
      return tombstone;
    }
    this.#require(
      kind === EXO_VALUE_OUTLINE && length === valueRefBytes,
      `slot ${index} has an unknown kind of value`,
    );
    return this.#reference(start, index);
  }

  /** Whether the head of a slot matches its suffix. */
  headAgrees(index: number): boolean {
    const { start, end } = this.#suffix(index);
    return this.page.readUInt32LE(this.#slot(index) + slot.head) === suffixHead(this.page, start, end);
  }

  #reference(start: number, index: number): ValueReference {
    const reference = {
      offset: readUint64(this.page, start + valueRef.offset),
      length: this.page.readUInt32LE(start + valueRef.length),
      checksum: this.page.readUInt32LE(start + valueRef.checksum),
    };
    const lengthFits = reference.length > EXO_INLINE_VALUE_MAX && reference.length <= EXO_VALUE_MAX;
    const inFile = this.#isPageRun(reference.offset, pagesFor(reference.length));
    this.#require(lengthFits && inFile, `the value of slot ${index} lies outside of the file`);
    return reference;
  }

  #search(from: number, isBefore: (index: number) => boolean): number {
    let low = from;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(middle)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Order of a slot's key against `key`. */
  #compare(index: number, key: Buffer): number {
    const prefixStart = this.#cellsStart - this.#prefixLength;
    const shared = Math.min(this.#prefixLength, key.length);
    const order = this.page.compare(key, 0, shared, prefixStart, this.#cellsStart);
    if (order !== 0) return order;
    const { start, end } = this.#suffix(index);
    return this.page.compare(key, shared, key.length, start, end);
  }

  #slot(index: number): number {
    return pageHeaderBytes + index * slotBytes;
  }

  #cell(index: number, fixedBytes: number): number {
    const cell = this.page.readUInt16LE(this.#slot(index) + slot.cell);
    const fits = cell >= this.#cellsStart && cell + fixedBytes <= EXO_PAGE_SIZE;
    this.#require(fits, `the cell of slot ${index} leaves the page`);
    return cell;
  }

  #suffix(index: number): { start: number; end: number } {
    const fixedBytes = this.level === 0 ? leafCellBytes : interiorCellBytes;
    const start = this.#cell(index, fixedBytes) + fixedBytes;
    const end = start + this.page.readUInt16LE(this.#slot(index) + slot.suffix_len);
    const fits = end <= EXO_PAGE_SIZE && this.#prefixLength + end - start <= EXO_KEY_MAX;
    this.#require(fits, `the key of slot ${index} leaves the page`);
    return { start, end };
  }

  #isPageRun(offset: number, pages: number): boolean {
    const end = offset + pages * EXO_PAGE_SIZE;
    return offset >= EXO_PAGE_SIZE && offset % EXO_PAGE_SIZE === 0 && end <= this.context.fileSize;
  }

  #require(holds: boolean, what: string): void {
    if (!holds) throw corrupt(this.context.path, this.context.offset, what);
  }
}
