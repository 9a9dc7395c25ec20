/**
 * Writes a table file from sorted entries, in one pass and in memory that grows with the tree's height only.
 *
 * One page is open at each level. When a key does not fit, the page is finished and goes to the file, and the
 * level above gets the pair (separator, offset) as if it were an entry of its own; so a page can finish a page
 * above it, up to the root:
 *
 *   level 2   [ -∞ → 9 | ...                     open
 *   level 1   [ k → 5 | p → 6 | ...              open, pushes (first separator, offset) when full
 *   level 0   [ s: 1, t: 2, ...                  open, pushes (shortest separator, offset) when full
 *   file      header | leaf | values | leaf | leaf | interior | ...
 *
 * Values too long for a leaf go to the file as they come, as a run of value pages. The header is written last, so
 * a file that is cut short has no magic. The file is called `tmp-…` until it is complete and durable; then it is
 * renamed. Whatever goes wrong, the temporary file is removed.
 */
import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '@exopool/native';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { tombstone, type Tombstone } from './cursor.js';
import { FileSink } from './file-sink.js';
import {
  EXO_HEIGHT_MAX,
  EXO_INLINE_VALUE_MAX,
  EXO_KEY_MAX,
  EXO_PAGE_SIZE,
  EXO_TABLE_VERSION,
  EXO_VALUE_INLINE,
  EXO_VALUE_MAX,
  EXO_VALUE_OUTLINE,
  EXO_VALUE_TOMBSTONE,
  pagesFor,
  valueRef,
  valueRefBytes,
  writeUint64,
} from './format.js';
import { InteriorBuilder, LeafBuilder, shortestSeparator } from './page-builder.js';
import { syncFolder } from './sync-folder.js';
import { encodeTableHeader } from './table-header.js';

/** Files with this prefix are incomplete, and removed when the store is opened. */
export const temporaryPrefix = 'tmp-';

export interface TableWriterOptions {
  readonly folder: string;
  /** The file's name once it is complete. */
  readonly name: string;
  /** Repeated in every page, so that a stray page of another table is recognised; take a random one. */
  readonly tableId: bigint;
  /** Unix time, milliseconds. */
  readonly createdMs: number;
  /** A scratch table keeps its temporary name and is not made durable. Default false. */
  readonly scratch?: boolean;
}

export interface TableSummary {
  readonly path: string;
  /** Tombstones are entries too. */
  readonly entries: number;
  readonly bytes: number;
  /** `undefined` without entries. */
  readonly smallestKey: Buffer | undefined;
  readonly largestKey: Buffer | undefined;
}

const noBytes = Buffer.alloc(0);

/** 64 random bits, not 0. */
export function randomTableId(): bigint {
  return randomBytes(8).readBigUInt64LE() | 1n;
}

export class TableWriter {
  readonly #leaf = new LeafBuilder();
  readonly #interiors: InteriorBuilder[] = [];
  /** The lower end of the open page of each level. */
  readonly #lowerEnds: Buffer[] = [];
  /** Finished pages of each level. */
  readonly #pages: number[] = [];
  #valuePages = 0;
  #entries = 0;
  #firstKey: Buffer | undefined;
  #lastKey: Buffer | undefined;

  private constructor(
    private readonly options: TableWriterOptions,
    private readonly sink: FileSink,
  ) {}

  /** @throws ExopoolError of the file system: `EXOPOOL_NO_SPACE`, `EXOPOOL_PERMISSION`, … */
  static async create(options: TableWriterOptions): Promise<TableWriter> {
    const path = join(options.folder, temporaryPrefix + options.name);
    return new TableWriter(options, await FileSink.create(path, EXO_PAGE_SIZE));
  }

  get entries(): number {
    return this.#entries;
  }

  /** Size of the file so far. */
  get bytes(): number {
    return this.sink.position;
  }

  /**
   * Adds the entry with the next greater key. The buffers must not change until the table is finished.
   * @returns false when `drain()` must be awaited before the next call.
   * @throws ExopoolError `EXOPOOL_INVALID` for a key or value out of its limits, or a key out of order.
   */
  add(key: Buffer, value: Buffer | Tombstone): boolean {
    this.#check(key, value);
    const { kind, payload } = this.#cell(value);
    if (this.#leaf.count > 0 && !this.#leaf.fits(key, payload.length)) {
      this.#finishPage(0);
      this.#lowerEnds[0] = shortestSeparator(this.#lastKey!, key);
    }
    this.#leaf.add(key, kind, payload);
    this.#firstKey ??= key;
    this.#lastKey = key;
    this.#entries += 1;
    return !this.sink.mustDrain;
  }

  /** Writes what is complete. On failure the file is removed and the writer is of no more use. */
  async drain(): Promise<void> {
    await this.#orDiscard(this.sink.drain());
  }

  /** Writes the rest, makes the file durable and gives it its name. */
  async finish(): Promise<TableSummary> {
    return this.#orDiscard(this.#finish());
  }

  /** Removes the file. */
  async abort(): Promise<void> {
    await this.sink.discard();
  }

  #check(key: Buffer, value: Buffer | Tombstone): void {
    const valueBytes = value === tombstone ? 0 : value.length;
    if (key.length === 0 || key.length > EXO_KEY_MAX || valueBytes > EXO_VALUE_MAX) {
      const limits = `a key has 1 to ${EXO_KEY_MAX} bytes and a value at most ${EXO_VALUE_MAX}`;
      throw new ExopoolError('EXOPOOL_INVALID', `${limits}, not ${key.length} and ${valueBytes}`);
    }
    if (this.#lastKey !== undefined && Buffer.compare(this.#lastKey, key) >= 0) {
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        'the keys of a table must strictly increase; sort them first',
      );
    }
  }

  /** What a leaf has of a value. */
  #cell(value: Buffer | Tombstone): { kind: number; payload: Buffer } {
    if (value === tombstone) return { kind: EXO_VALUE_TOMBSTONE, payload: noBytes };
    if (value.length <= EXO_INLINE_VALUE_MAX) return { kind: EXO_VALUE_INLINE, payload: value };
    return { kind: EXO_VALUE_OUTLINE, payload: this.#writeValue(value) };
  }

  #writeValue(value: Buffer): Buffer {
    const reference = Buffer.alloc(valueRefBytes);
    writeUint64(reference, this.sink.position, valueRef.offset);
    reference.writeUInt32LE(value.length, valueRef.length);
    reference.writeUInt32LE(crc32c(value), valueRef.checksum);
    this.sink.pages(value);
    this.#valuePages += pagesFor(value.length);
    return reference;
  }

  /** Writes the open page of `level` and tells the level above. */
  #finishPage(level: number): void {
    const offset = this.#writePage(level);
    const parent = level + 1;
    if (parent >= EXO_HEIGHT_MAX) {
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        `a table has at most ${EXO_HEIGHT_MAX} levels: split the data`,
      );
    }
    const builder = (this.#interiors[parent] ??= new InteriorBuilder(parent));
    const separator = this.#lowerEnds[level] ?? Buffer.alloc(0);
    if (!builder.fits(separator)) this.#finishPage(parent);
    if (builder.count === 0) this.#lowerEnds[parent] = separator;
    builder.add(separator, offset);
  }

  #writePage(level: number): number {
    const place = { tableId: this.options.tableId, offset: this.sink.position };
    const builder = level === 0 ? this.#leaf : this.#interiors[level]!;
    builder.build(this.sink.page(), place);
    this.#pages[level] = (this.#pages[level] ?? 0) + 1;
    return place.offset;
  }

  /** Finishes the open page of every level; the first level with a single page is the root's. */
  #finishTree(): { root: number; height: number } {
    if (this.#entries === 0) return { root: 0, height: 0 };
    let level = 0;
    while ((this.#pages[level] ?? 0) > 0) {
      this.#finishPage(level);
      level += 1;
    }
    return { root: this.#writePage(level), height: level + 1 };
  }

  async #finish(): Promise<TableSummary> {
    const { root, height } = this.#finishTree();
    const bytes = this.sink.position;
    await this.sink.end();
    const [leafPages = 0, ...interiorPages] = this.#pages;
    const header = encodeTableHeader({
      version: EXO_TABLE_VERSION,
      tableId: this.options.tableId,
      root,
      height,
      entries: this.#entries,
      fileSize: bytes,
      leafPages,
      interiorPages: interiorPages.reduce((sum, pages) => sum + pages, 0),
      valuePages: this.#valuePages,
      createdMs: this.options.createdMs,
      filter: 0,
      filterPages: 0,
      filterBlocks: 0,
    });
    await this.sink.writeAt(header, 0);
    if (this.options.scratch !== true) await this.sink.sync();
    await this.sink.close();
    const path = this.options.scratch === true ? this.sink.path : await this.#publish();
    const [smallestKey, largestKey] = [this.#firstKey, this.#lastKey];
    return { path, entries: this.#entries, bytes, smallestKey, largestKey };
  }

  async #publish(): Promise<string> {
    const path = join(this.options.folder, this.options.name);
    try {
      await rename(this.sink.path, path);
      await syncFolder(this.options.folder);
    } catch (error) {
      await rm(path, { force: true });
      throw toExopoolError(error, `cannot name ${path}`);
    }
    return path;
  }

  async #orDiscard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      await this.sink.discard();
      throw error;
    }
  }
}
