/** Reads a trace of requests from CSV: each row has a key and the length of its value. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import type { TraceUse } from '@exopool/memtrade';
import { inputError } from './entry.js';
import { openInput } from './open-input.js';

/** Most requests to read: they take some gigabytes of memory. The start of a longer trace has the same shape. */
const usesMax = 20_000_000;

interface Row {
  readonly info: { readonly lines: number };
  readonly record: Readonly<Record<string, string>>;
}

/** @throws ExopoolError `EXOPOOL_NOT_FOUND`, `EXOPOOL_INPUT` with the line. */
export async function readTrace(path: string, keyColumn: string, bytesColumn: string): Promise<TraceUse[]> {
  const { source, chunks } = await openInput(path);
  const parser = parse({ columns: true, info: true, bom: true });
  // The parser passes the input's errors on to the loop below; nothing else waits for this promise.
  const fed = pipeline(Readable.from(chunks), parser).catch(() => undefined);
  const uses: TraceUse[] = [];
  try {
    for await (const { info, record } of parser as AsyncIterable<Row>) {
      const [key, bytes] = [record[keyColumn], Number(record[bytesColumn] ?? Number.NaN)];
      if (key === undefined || !(bytes >= 0 && bytes <= Number.MAX_SAFE_INTEGER)) {
        const columns = Object.keys(record).join(', ');
        const wanted =
          key === undefined ? `no column "${keyColumn}"` : `no length in column "${bytesColumn}"`;
        throw inputError(source, info.lines, `there is ${wanted} (columns: ${columns})`);
      }
      uses.push({ key, bytes });
      if (uses.length === usesMax) break;
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw inputError(source, Number(error['lines'] ?? 1), error.message, error);
  } finally {
    parser.destroy();
    await fed;
  }
  if (uses.length === 0) throw inputError(source, 1, 'the trace has no requests');
  return uses;
}
