/**
 * Verifies a whole table: it walks every page and compares it with the others.
 *
 * It checks: checksum, table and place of each page; levels; the order of keys, and the bounds that the parent gives; slot
 * heads (the BPF walker chooses its way by them); checksums of values; that each page of the file is used exactly once;
 * the pages of the filter, and that it passes every key; the counts in the header. It reports a damaged page with file
 * and offset, and goes on with the other pages.
 */
import { crc32c, filterMiss } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { throwIfAborted } from '../base/abort.js';
import { tombstone } from '../format/entry.js';
import {
  EXO_FILTER_BLOCK_BYTES,
  EXO_FILTER_PAGE_BLOCKS,
  EXO_PAGE_FILTER,
  EXO_PAGE_SIZE,
  EXO_TABLE_MAGIC,
  pageHeader,
  pageHeaderBytes,
  pagesFor,
  tableHeader,
  tableHeaderChecksumStart,
} from '../format/format.js';
import { corrupt, type PageView, type ValueReference } from '../format/page-view.js';
import { readValue, readView, type PageSource } from '../tables/table-reader.js';

/** The most problems in a report: the first few tell what happened, and a wrecked file has millions. */
export const problemsMax = 100;

/** One damaged place. */
export interface VerifyProblem {
  /** Path of the file. */
  readonly file: string;
  /** Bytes from the file's start. */
  readonly offset: number;
  readonly message: string;
}

/** The result of {@link verifyTable} and `Store.verify`. */
export interface VerifyReport {
  /** True if there are no problems. */
  readonly ok: boolean;
  /** What was found: entries with tombstones, and pages of 4096 bytes. */
  readonly entries: number;
  readonly leafPages: number;
  readonly interiorPages: number;
  readonly valuePages: number;
  /** The first 100 problems. */
  readonly problems: readonly VerifyProblem[];
}

/** The report on no tables. */
export const emptyReport: VerifyReport = {
  ok: true,
  entries: 0,
  leafPages: 0,
  interiorPages: 0,
  valuePages: 0,
  problems: [],
};

/** Adds two reports up. */
export function addReports(a: VerifyReport, b: VerifyReport): VerifyReport {
  return {
    ok: a.ok && b.ok,
    entries: a.entries + b.entries,
    leafPages: a.leafPages + b.leafPages,
    interiorPages: a.interiorPages + b.interiorPages,
    valuePages: a.valuePages + b.valuePages,
    problems: [...a.problems, ...b.problems].slice(0, problemsMax),
  };
}

/**
 * Reads a table whole and checks it. Damage is in the report; it is not thrown.
 * @throws ExopoolError `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`.
 */
export async function verifyTable(source: PageSource, signal?: AbortSignal): Promise<VerifyReport> {
  return new Verification(source, signal).run();
}

/** Keys that a subtree may hold: lower <= key < upper. */
interface SubtreeBounds {
  readonly lower?: Buffer | undefined;
  readonly upper?: Buffer | undefined;
}

class Verification {
  readonly #problems: VerifyProblem[] = [];
  /** 1 for each page of the file that something uses. */
  readonly #used: Uint8Array;
  #entries = 0;
  #leafPages = 0;
  #interiorPages = 0;
  #valuePages = 0;
  /** The filter's blocks; `undefined` without a filter, or when a page of it is damaged. */
  #filter: Buffer | undefined;

  constructor(
    private readonly source: PageSource,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#used = new Uint8Array(source.header.fileSize / EXO_PAGE_SIZE);
    this.#used[0] = 1;
  }

  async run(): Promise<VerifyReport> {
    await this.#visitHeader();
    const { height, root } = this.source.header;
    await this.#readFilter();
    if (height > 0) await this.#visit(root, height - 1, {});
    this.#compareCounts();
    return {
      ok: this.#problems.length === 0,
      entries: this.#entries,
      leafPages: this.#leafPages,
      interiorPages: this.#interiorPages,
      valuePages: this.#valuePages,
      problems: this.#problems,
    };
  }

  /** The header was checked when the table was opened; this tells whether it can be opened again. */
  async #visitHeader(): Promise<void> {
    await this.#reporting(0, async () => {
      const page = await this.source.readPages(0, 1);
      const hasMagic = page.toString('latin1', 0, EXO_TABLE_MAGIC.length) === EXO_TABLE_MAGIC;
      const isVersion = page.readUInt32LE(tableHeader.version) === this.source.header.version;
      const checksum = crc32c(page.subarray(tableHeaderChecksumStart));
      if (hasMagic && isVersion && page.readUInt32LE(tableHeader.checksum) === checksum) return;
      this.#report(0, 'the header page is damaged');
    });
  }

  async #readFilter(): Promise<void> {
    const { filter, filterPages, filterBlocks } = this.source.header;
    const blocks: Buffer[] = [];
    for (let index = 0; index < filterPages; index += 1) {
      throwIfAborted(this.signal);
      const offset = filter + index * EXO_PAGE_SIZE;
      if (!this.#claim(offset, 1)) continue;
      const count = Math.min(EXO_FILTER_PAGE_BLOCKS, filterBlocks - index * EXO_FILTER_PAGE_BLOCKS);
      await this.#reporting(offset, async () => {
        blocks.push(filterPageBlocks(await this.source.readPage(offset), count, this.source.path, offset));
      });
    }
    if (filterPages > 0 && blocks.length === filterPages) this.#filter = Buffer.concat(blocks);
  }

  async #visit(offset: number, level: number, bounds: SubtreeBounds): Promise<void> {
    throwIfAborted(this.signal);
    if (!this.#claim(offset, 1)) return;
    if (level === 0) this.#leafPages += 1;
    else this.#interiorPages += 1;
    await this.#reporting(offset, async () => {
      const page = await readView(this.source, offset, level);
      if (level === 0) await this.#visitLeaf(page, offset, bounds);
      else await this.#visitInterior(page, offset, bounds);
    });
  }

  async #visitLeaf(page: PageView, offset: number, bounds: SubtreeBounds): Promise<void> {
    this.#checkKeys(page, offset, bounds, 0);
    this.#entries += page.count;
    this.#checkFilter(page, offset);
    for (let index = 0; index < page.count; index += 1) {
      const value = page.value(index);
      if (value !== tombstone && !Buffer.isBuffer(value)) await this.#visitValue(value);
    }
  }

  async #visitInterior(page: PageView, offset: number, bounds: SubtreeBounds): Promise<void> {
    this.#checkKeys(page, offset, bounds, 1);
    for (let index = 0; index < page.count; index += 1) {
      const lower = index === 0 ? bounds.lower : page.key(index);
      const upper = index + 1 === page.count ? bounds.upper : page.key(index + 1);
      await this.#visit(page.child(index), page.level - 1, { lower, upper });
    }
  }

  async #visitValue(reference: ValueReference): Promise<void> {
    const pages = pagesFor(reference.length);
    if (!this.#claim(reference.offset, pages)) return;
    this.#valuePages += pages;
    await this.#reporting(reference.offset, async () => {
      await readValue(this.source, reference);
    });
  }

  /** @param first 1 in an interior page, whose slot 0 has no key. */
  #checkKeys(page: PageView, offset: number, { lower, upper }: SubtreeBounds, first: number): void {
    let previous = lower;
    for (let index = first; index < page.count; index += 1) {
      const key = page.key(index);
      const order = previous === undefined ? 1 : Buffer.compare(key, previous);
      const mayEqual = index === first && first === 0;
      if (order < 0 || (order === 0 && !mayEqual))
        this.#report(offset, `the key of slot ${index} is out of order`);
      if (upper !== undefined && Buffer.compare(key, upper) >= 0) {
        this.#report(offset, `the key of slot ${index} belongs in a page further right`);
      }
      if (!page.headAgrees(index)) this.#report(offset, `the head of slot ${index} does not match its key`);
      previous = key;
    }
  }

  #checkFilter(page: PageView, offset: number): void {
    if (this.#filter === undefined) return;
    const keys = Array.from({ length: page.count }, (_, index) => page.key(index));
    const missed = filterMiss(this.#filter, keys);
    if (missed >= 0) this.#report(offset, `the filter does not know the key of slot ${missed}`);
  }

  /** Marks pages as used; false when one was used before. */
  #claim(offset: number, pages: number): boolean {
    const start = offset / EXO_PAGE_SIZE;
    const isFree = !this.#used.subarray(start, start + pages).includes(1);
    if (isFree) this.#used.fill(1, start, start + pages);
    else this.#report(offset, 'the page is used twice');
    return isFree;
  }

  #compareCounts(): void {
    const { header } = this.source;
    const counts = [
      ['entries', this.#entries, header.entries],
      ['leaf pages', this.#leafPages, header.leafPages],
      ['interior pages', this.#interiorPages, header.interiorPages],
      ['value pages', this.#valuePages, header.valuePages],
    ] as const;
    for (const [what, found, stated] of counts) {
      if (found !== stated) this.#report(0, `the header states ${stated} ${what}, ${found} were found`);
    }
    const unused = this.#used.indexOf(0);
    if (unused >= 0) this.#report(unused * EXO_PAGE_SIZE, 'nothing points to the page');
  }

  async #reporting(offset: number, check: () => Promise<void>): Promise<void> {
    try {
      await check();
    } catch (error) {
      const isDamage =
        error instanceof ExopoolError && ['EXOPOOL_CORRUPT', 'EXOPOOL_IO'].includes(error.code);
      if (!isDamage) throw error;
      this.#report(offset, error.message);
    }
  }

  #report(offset: number, message: string): void {
    if (this.#problems.length < problemsMax) this.#problems.push({ file: this.source.path, offset, message });
  }
}

/** The blocks of one page of the filter. @throws ExopoolError `EXOPOOL_CORRUPT`. */
function filterPageBlocks(page: Buffer, count: number, path: string, offset: number): Buffer {
  const type = page.readUInt8(pageHeader.type);
  const isFilter = type === EXO_PAGE_FILTER && page.readUInt8(pageHeader.level) === 0;
  if (!isFilter || page.readUInt16LE(pageHeader.count) !== count) {
    throw corrupt(path, offset, `the page is not one of the filter with ${count} blocks`);
  }
  return page.subarray(pageHeaderBytes, pageHeaderBytes + count * EXO_FILTER_BLOCK_BYTES);
}
