/**
 * The reference reader: it finds keys in a table by the plainest code that follows the format.
 *
 * The lookup engines do the same in C++ and in BPF, faster. Tests compare them with this reader. It is also the base of
 * two jobs that engines do not do: ordered scans (`reference-scan.ts`) and verification (`table-verify.ts`).
 */
import { crc32c, type TableHeader } from '@exopool/native/internal';
import { tombstone } from '../format/entry.js';
import { EXO_PAGE_SIZE, pagesFor } from '../format/format.js';
import { corrupt, PageView, type PageContext, type ValueReference } from '../format/page-view.js';

/** Where pages come from; `TableFile` of @exopool/native/internal is one. */
export interface PageSource {
  readonly path: string;
  readonly header: TableHeader;
  /** One page of the tree. Checksum, table and place were verified. @param offset bytes from the file's start. */
  readPage(offset: number): Promise<Buffer>;
  /** `count` pages, not verified. @param offset bytes from the file's start. */
  readPages(offset: number, count: number): Promise<Buffer>;
}

export function pageContext(source: PageSource, offset: number): PageContext {
  const { fileSize, tableId } = source.header;
  return { path: source.path, offset, fileSize, tableId };
}

/**
 * Looks one key up.
 * @returns the value; `null` if the table has a tombstone for `key`; `undefined` if the table does not have `key`.
 * @throws ExopoolError `EXOPOOL_CORRUPT` with file and offset, `EXOPOOL_IO`.
 */
export async function getFromTable(source: PageSource, key: Buffer): Promise<Buffer | null | undefined> {
  if (source.header.height === 0) return undefined;
  let offset = source.header.root;
  for (let level = source.header.height - 1; level > 0; level -= 1) {
    const page = await readView(source, offset, level);
    offset = page.child(page.childIndex(key));
  }
  const leaf = await readView(source, offset, 0);
  const index = leaf.lowerBound(key);
  if (index === leaf.count || !leaf.key(index).equals(key)) return undefined;
  const value = leaf.value(index);
  if (value === tombstone) return null;
  return Buffer.isBuffer(value) ? value : readValue(source, value);
}

/** One page of the tree at its level. */
export async function readView(source: PageSource, offset: number, level: number): Promise<PageView> {
  return new PageView(await source.readPage(offset), pageContext(source, offset), level);
}

/** Reads a value outside of its leaf. @throws ExopoolError `EXOPOOL_CORRUPT` if its checksum does not match. */
export async function readValue(source: PageSource, reference: ValueReference): Promise<Buffer> {
  const run = await source.readPages(reference.offset, pagesFor(reference.length));
  const value = run.subarray(0, reference.length);
  if (value.length !== reference.length || crc32c(value) !== reference.checksum) {
    throw corrupt(source.path, reference.offset, 'the checksum of the value does not match');
  }
  return value;
}

/** The page at `index` of a run of pages. */
export function pageOfRun(run: Buffer, index: number): Buffer {
  return run.subarray(index * EXO_PAGE_SIZE, (index + 1) * EXO_PAGE_SIZE);
}
