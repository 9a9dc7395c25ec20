/** JSON Lines: one object a line, `{"key": …, "value": …}`, or any object with its key in a field of the caller's. */
import { inputError, makeEntry, type Entry } from './entry.js';
import { records } from './records.js';

/**
 * @param keyField when given, the entry's key is that field of the object and its value the whole line; else the
 *   fields `key` and `value` are taken. Strings become their UTF-8 bytes, anything else its JSON text.
 * @throws ExopoolError `EXOPOOL_INPUT` with the line.
 */
export async function* readJsonLines(
  source: string,
  chunks: AsyncIterable<Buffer>,
  keyField?: string,
): AsyncGenerator<Entry> {
  for await (const { bytes, line } of records(source, chunks, '\n')) {
    const text = bytes.toString('utf8').trim();
    if (text === '') continue;
    const object = parseObject(source, line, text);
    const key = field(source, line, object, keyField ?? 'key');
    const value = keyField === undefined ? field(source, line, object, 'value') : Buffer.from(text);
    yield makeEntry(source, line, key, value);
  }
}

function parseObject(source: string, line: number, text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw inputError(source, line, `not JSON: ${(error as Error).message}`, error);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw inputError(source, line, 'a JSON object is expected on each line');
}

function field(
  source: string,
  line: number,
  object: Readonly<Record<string, unknown>>,
  name: string,
): Buffer {
  if (!Object.hasOwn(object, name)) {
    throw inputError(source, line, `the object has no field "${name}" (--key FIELD names the one to take)`);
  }
  const value = object[name];
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}
