/**
 * Splits a stream of bytes into records: lines, or stanzas with a blank line between them.
 *
 *   chunk 1          chunk 2            records yielded
 *   "a\nbb\nc"       "c\nd"             "a" "bb"          after chunk 1; "c" stays pending
 *                                       "cc" and, at the end, "d"
 *
 * It does not decode text, since a character may lie across two chunks.
 */
import { inputError } from './entry.js';

/** A value of 16 MiB, each byte of it escaped in JSON (six characters), is the longest sensible record. */
const recordBytesMax = 100 << 20;
const newline = 0x0a;

export interface InputRecord {
  readonly bytes: Buffer;
  /** The line, from 1, on which the record starts. */
  readonly line: number;
}

/** @throws ExopoolError `EXOPOOL_INPUT` when a record does not end within 100 MiB. */
export async function* records(
  source: string,
  chunks: AsyncIterable<Buffer>,
  separator: '\n' | '\n\n',
): AsyncGenerator<InputRecord> {
  const mark = Buffer.from(separator);
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let line = 1;
  for await (const chunk of chunks) {
    const acrossChunks = mark.length > 1 && pending.at(-1)?.at(-1) === newline && chunk[0] === newline;
    if (!acrossChunks && !chunk.includes(mark)) {
      pending.push(chunk);
      pendingBytes += chunk.length;
    } else {
      const bytes = pending.length === 0 ? chunk : Buffer.concat([...pending, chunk]);
      let start = 0;
      for (let end = bytes.indexOf(mark); end >= 0; end = bytes.indexOf(mark, start)) {
        const record = bytes.subarray(start, end);
        yield { bytes: record, line };
        line += countLines(record) + separator.length;
        start = end + separator.length;
      }
      pending = start < bytes.length ? [bytes.subarray(start)] : [];
      pendingBytes = bytes.length - start;
    }
    if (pendingBytes > recordBytesMax)
      throw inputError(source, line, 'the record does not end within 100 MiB');
  }
  if (pendingBytes > 0) yield { bytes: Buffer.concat(pending), line };
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines += 1;
  return lines;
}
