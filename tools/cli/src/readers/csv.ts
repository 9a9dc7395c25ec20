/** CSV with a header line: the key is one column, the value the whole row as a JSON object. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse, type Options } from 'csv-parse';
import { inputError, makeEntry, type Entry } from './entry.js';

export interface CsvOptions {
  /** The column that is the key. */
  readonly key: string;
  /** One character; a comma when left out. */
  readonly delimiter?: string;
}

interface Row {
  readonly info: { readonly lines: number };
  readonly record: Readonly<Record<string, string>>;
}

/** @throws ExopoolError `EXOPOOL_INPUT` with the line. */
export async function* readCsv(
  source: string,
  chunks: AsyncIterable<Buffer>,
  options: CsvOptions,
): AsyncGenerator<Entry> {
  const settings: Options = { columns: true, info: true, bom: true, delimiter: options.delimiter ?? ',' };
  const parser = parse(settings);
  // The parser passes the input's errors on to the loop below; nothing else waits for this promise.
  const fed = pipeline(Readable.from(chunks), parser).catch(() => undefined);
  try {
    for await (const row of parser as AsyncIterable<Row>) {
      const key = row.record[options.key];
      if (key === undefined) {
        const columns = Object.keys(row.record).join(', ');
        throw inputError(source, 1, `there is no column "${options.key}" (columns: ${columns})`);
      }
      yield makeEntry(source, row.info.lines, Buffer.from(key), Buffer.from(JSON.stringify(row.record)));
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = Number(error['lines']);
    throw inputError(source, Number.isFinite(line) ? line : 1, error.message, error);
  } finally {
    parser.destroy();
    await fed;
  }
}
