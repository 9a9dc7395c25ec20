/** One door to all readers: finds out the format, by name first and by content else. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import type { Entry } from './entry.js';
import { readFileTree } from './file-tree.js';
import { readJsonLines } from './json-lines.js';
import { openInput } from './open-input.js';
import { readPackagesIndex } from './packages-index.js';

export const formats = ['jsonl', 'csv', 'packages', 'files'] as const;
export type Format = (typeof formats)[number];

export interface ReadOptions {
  readonly format?: Format;
  /** Column (CSV), field (JSON Lines) or fields joined by `=` (package indexes) that make the key. */
  readonly key?: string;
  /** CSV only; one character. */
  readonly delimiter?: string;
  /** Ends a wait for the input; the entries throw its reason. */
  readonly signal?: AbortSignal;
}

export interface EntrySource {
  readonly format: Format;
  readonly entries: AsyncIterable<Entry>;
  /** Bytes of the input as it is stored; undefined where nobody knows beforehand. */
  readonly totalBytes: number | undefined;
  bytesRead(): number;
}

/**
 * @param path a file, a folder (its files become the entries), or `-` for standard input.
 * @throws ExopoolError `EXOPOOL_USAGE` when the format cannot be told, `EXOPOOL_NOT_FOUND`; the entries may throw
 *   `EXOPOOL_INPUT` and `EXOPOOL_UNSUPPORTED`.
 */
export async function readEntries(path: string, options: ReadOptions = {}): Promise<EntrySource> {
  if (options.format === 'files' || (options.format === undefined && isFolder(path))) {
    return { format: 'files', entries: readFileTree(path), totalBytes: undefined, bytesRead: () => 0 };
  }
  const input = await openInput(path, options.signal);
  const iterator = input.chunks[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    const head = first.done === true ? Buffer.alloc(0) : first.value;
    const format = options.format ?? formatByName(path) ?? formatByContent(head);
    if (format === undefined) {
      const choice = formats.join('|');
      throw new ExopoolError(
        'EXOPOOL_USAGE',
        `cannot tell the format of ${input.source}: give --format ${choice}`,
      );
    }
    const entries = await entriesOf(format, input.source, prepend(head, iterator), path, options);
    return { format, entries, totalBytes: input.totalBytes, bytesRead: () => input.bytesRead() };
  } catch (error) {
    await iterator.return?.();
    throw error;
  }
}

async function entriesOf(
  format: Format,
  source: string,
  chunks: AsyncIterable<Buffer>,
  path: string,
  options: ReadOptions,
): Promise<AsyncIterable<Entry>> {
  switch (format) {
    case 'jsonl':
      return readJsonLines(source, chunks, options.key);
    case 'packages':
      return readPackagesIndex(source, chunks, options.key);
    case 'files':
      return readFileTree(path);
    case 'csv': {
      if (options.key === undefined) throw new ExopoolError('EXOPOOL_USAGE', 'CSV needs --key COLUMN');
      const delimiter = options.delimiter ?? (/\.tsv(\.|$)/i.test(path) ? '\t' : ',');
      const { readCsv } = await import('./csv.js');
      return readCsv(source, chunks, { key: options.key, delimiter });
    }
  }
}

/** Told by the last part of the name, less a suffix of compression. */
export function formatByName(path: string): Format | undefined {
  const name = basename(path).replace(/\.(gz|xz|lz4)$/i, '');
  if (/\.(jsonl|ndjson)$/i.test(name)) return 'jsonl';
  if (/\.(csv|tsv)$/i.test(name)) return 'csv';
  if (/(^|_)Packages$/.test(name)) return 'packages';
  return undefined;
}

/** Told by how the (uncompressed) bytes begin. */
export function formatByContent(head: Buffer): Format | undefined {
  const text = head.subarray(0, 4096).toString('latin1').trimStart();
  if (text.startsWith('{')) return 'jsonl';
  if (/^[A-Z][A-Za-z0-9-]*: /.test(text)) return 'packages';
  if (/^[^\n]*,[^\n]*\n/.test(text)) return 'csv';
  return undefined;
}

async function* prepend(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

function isFolder(path: string): boolean {
  return path !== '-' && (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false);
}
