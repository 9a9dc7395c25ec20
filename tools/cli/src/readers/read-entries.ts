/** The entry to all readers: detects the format by the file's name, else by its content. */
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
  /** The key: a column (CSV), a field (JSON Lines) or fields joined by `=` (package indexes). */
  readonly key?: string;
  /** One character; only for CSV. */
  readonly delimiter?: string;
  /** Aborts a wait for the input; the entries then throw its reason. */
  readonly signal?: AbortSignal;
}

export interface EntrySource {
  readonly format: Format;
  readonly entries: AsyncIterable<Entry>;
  /** Size of the stored input, perhaps compressed; undefined when it is unknown. */
  readonly totalBytes: number | undefined;
  bytesRead(): number;
}

/**
 * @param path a file, a folder (its files become the entries), or `-` for standard input.
 * @throws ExopoolError `EXOPOOL_USAGE` when the format cannot be detected, `EXOPOOL_NOT_FOUND`; the entries may throw
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
        `cannot detect the format of ${input.source}: give --format ${choice}`,
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

/** The format by the suffix of the file's name, after a suffix of compression is removed. */
export function formatByName(path: string): Format | undefined {
  const name = basename(path).replace(/\.(gz|xz|lz4)$/i, '');
  if (/\.(jsonl|ndjson)$/i.test(name)) return 'jsonl';
  if (/\.(csv|tsv)$/i.test(name)) return 'csv';
  if (/(^|_)Packages$/.test(name)) return 'packages';
  return undefined;
}

/** The format by the first bytes, after decompression. */
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
