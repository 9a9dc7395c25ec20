/**
 * Builds one page of the tree from keys that come in order, and knows before each whether it still fits.
 *
 * Keys share their page's prefix, and as they are sorted the prefix of all is the prefix of the first and the
 * last. So the exact size after one more key follows from three running sums, in constant time:
 *
 *   header 32 + 8 a slot + prefix + cells,     cells = sum(fixed part) + sum(key lengths) - keys × prefix
 *
 * A new key can shorten the prefix and thereby lengthen every cell: the formula has that in it.
 *
 * In an interior page slot 0 stands for minus infinity: its separator is not stored and takes no part in the
 * prefix. The level above gets that separator as the lower end of the whole page.
 */
import { crc32c } from '@exopool/native';
import {
  EXO_PAGE_INTERIOR,
  EXO_PAGE_LEAF,
  EXO_PAGE_SIZE,
  interiorCellBytes,
  leafCell,
  leafCellBytes,
  pageChecksumStart,
  pageHeader,
  pageHeaderBytes,
  slot,
  slotBytes,
  suffixHead,
  writeUint64,
} from './format.js';

/** Where a page goes. */
export interface PagePlace {
  readonly tableId: bigint;
  /** Bytes from the file's start. */
  readonly offset: number;
}

/** The number of leading bytes that two keys share. */
export function sharedPrefix(a: Buffer, b: Buffer): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a[length] === b[length]) length += 1;
  return length;
}

/** The shortest bytes s with left < s <= right, for left < right: what tells two neighbouring pages apart. */
export function shortestSeparator(left: Buffer, right: Buffer): Buffer {
  return right.subarray(0, sharedPrefix(left, right) + 1);
}

/** Keys that will share a prefix, and the bytes they take. */
class PrefixedKeys {
  readonly keys: Buffer[] = [];
  prefixLength = 0;
  #keyBytes = 0;

  /** Bytes of prefix and suffixes with one more key. */
  sizeWith(key: Buffer): number {
    const prefix = this.#prefixWith(key);
    return this.#keyBytes + key.length - this.keys.length * prefix;
  }

  add(key: Buffer): void {
    this.prefixLength = this.#prefixWith(key);
    this.#keyBytes += key.length;
    this.keys.push(key);
  }

  clear(): void {
    this.keys.length = 0;
    this.prefixLength = 0;
    this.#keyBytes = 0;
  }

  #prefixWith(key: Buffer): number {
    const first = this.keys[0];
    return first === undefined ? key.length : sharedPrefix(first, key);
  }
}

export class LeafBuilder {
  readonly #keys = new PrefixedKeys();
  readonly #payloads: Buffer[] = [];
  readonly #kinds: number[] = [];
  #fixedBytes = pageHeaderBytes;

  get count(): number {
    return this.#payloads.length;
  }

  fits(key: Buffer, payloadBytes: number): boolean {
    const cell = slotBytes + leafCellBytes + payloadBytes;
    return this.#fixedBytes + cell + this.#keys.sizeWith(key) <= EXO_PAGE_SIZE;
  }

  /** @param kind `EXO_VALUE_INLINE` with the value, `EXO_VALUE_OUTLINE` with an encoded reference, `EXO_VALUE_TOMBSTONE`. */
  add(key: Buffer, kind: number, payload: Buffer): void {
    this.#keys.add(key);
    this.#payloads.push(payload);
    this.#kinds.push(kind);
    this.#fixedBytes += slotBytes + leafCellBytes + payload.length;
  }

  /** Writes the page over `page`, which is all zeroes, and starts an empty one. */
  build(page: Buffer, place: PagePlace): void {
    const { keys, prefixLength } = this.#keys;
    writePrefix(page, this.count, keys[0]!, prefixLength);
    let cell = EXO_PAGE_SIZE;
    for (let index = this.count - 1; index >= 0; index -= 1) {
      const payload = this.#payloads[index]!;
      const suffixBytes = keys[index]!.length - prefixLength;
      cell -= leafCellBytes + suffixBytes + payload.length;
      writeSlot(page, index, cell, keys[index]!, prefixLength);
      page.writeUInt16LE(payload.length, cell + leafCell.value_len);
      page.writeUInt8(this.#kinds[index]!, cell + leafCell.kind);
      keys[index]!.copy(page, cell + leafCellBytes, prefixLength);
      payload.copy(page, cell + leafCellBytes + suffixBytes);
    }
    sealPage(page, EXO_PAGE_LEAF, 0, place);
    this.#keys.clear();
    this.#payloads.length = 0;
    this.#kinds.length = 0;
    this.#fixedBytes = pageHeaderBytes;
  }
}

export class InteriorBuilder {
  /** The separators of slots 1 and up. */
  readonly #keys = new PrefixedKeys();
  readonly #children: number[] = [];

  constructor(readonly level: number) {}

  get count(): number {
    return this.#children.length;
  }

  fits(separator: Buffer): boolean {
    const fixed = pageHeaderBytes + (this.count + 1) * (slotBytes + interiorCellBytes);
    return this.count === 0 || fixed + this.#keys.sizeWith(separator) <= EXO_PAGE_SIZE;
  }

  /** @param child file offset of the page that holds the keys from `separator` on. */
  add(separator: Buffer, child: number): void {
    if (this.count > 0) this.#keys.add(separator);
    this.#children.push(child);
  }

  /** Writes the page over `page`, which is all zeroes, and starts an empty one. */
  build(page: Buffer, place: PagePlace): void {
    const { keys, prefixLength } = this.#keys;
    writePrefix(page, this.count, keys[0] ?? noKey, prefixLength);
    let cell = EXO_PAGE_SIZE;
    for (let index = this.count - 1; index >= 0; index -= 1) {
      const key = index === 0 ? noKey : keys[index - 1]!;
      const shared = index === 0 ? 0 : prefixLength;
      cell -= interiorCellBytes + key.length - shared;
      writeSlot(page, index, cell, key, shared);
      writeUint64(page, this.#children[index]!, cell);
      key.copy(page, cell + interiorCellBytes, shared);
    }
    sealPage(page, EXO_PAGE_INTERIOR, this.level, place);
    this.#keys.clear();
    this.#children.length = 0;
  }
}

const noKey = Buffer.alloc(0);

function writePrefix(page: Buffer, count: number, first: Buffer, prefixLength: number): void {
  page.writeUInt16LE(count, pageHeader.count);
  page.writeUInt16LE(prefixLength, pageHeader.prefix_len);
  first.copy(page, pageHeaderBytes + count * slotBytes, 0, prefixLength);
}

function writeSlot(page: Buffer, index: number, cell: number, key: Buffer, prefixLength: number): void {
  const at = pageHeaderBytes + index * slotBytes;
  page.writeUInt32LE(suffixHead(key, prefixLength, key.length), at + slot.head);
  page.writeUInt16LE(cell, at + slot.cell);
  page.writeUInt16LE(key.length - prefixLength, at + slot.suffix_len);
}

function sealPage(page: Buffer, type: number, level: number, place: PagePlace): void {
  page.writeUInt8(type, pageHeader.type);
  page.writeUInt8(level, pageHeader.level);
  page.writeBigUInt64LE(place.tableId, pageHeader.table_id);
  writeUint64(page, place.offset, pageHeader.offset);
  page.writeUInt32LE(crc32c(page.subarray(pageChecksumStart)), pageHeader.checksum);
}
