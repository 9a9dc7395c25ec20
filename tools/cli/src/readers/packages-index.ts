/**
 * Reads Debian package indexes (`Packages`): stanzas of `Field: value` lines with empty lines between them. A line that
 * starts with a blank continues the line before it. The value of an entry is the stanza, byte for byte.
 */
import { ExopoolError } from '@exopool/shared';
import { inputError, makeEntry, type Entry } from './entry.js';
import { records } from './records.js';

/**
 * @param keyFields the fields of the key, with `=` between them: "Package" (the default) keeps the last stanza of each
 *   name, "Package=Version" keeps one stanza of each version.
 * @throws ExopoolError `EXOPOOL_INPUT` with the line.
 */
export async function* readPackagesIndex(
  source: string,
  chunks: AsyncIterable<Buffer>,
  keyFields = 'Package',
): AsyncGenerator<Entry> {
  const fields = keyFields.split('=');
  if (fields.includes(''))
    throw new ExopoolError('EXOPOOL_USAGE', `--key ${keyFields}: write FIELD or FIELD=FIELD`);
  for await (const record of records(source, chunks, '\n\n')) {
    const stanza = record.bytes.toString('latin1').replace(/^\n+|\n+$/g, '');
    if (stanza === '') continue;
    const firstLine = record.line + leadingNewlines(record.bytes);
    const key = stanzaKey(source, firstLine, stanza, fields);
    yield makeEntry(source, firstLine, Buffer.from(key, 'latin1'), Buffer.from(stanza, 'latin1'));
  }
}

/** The key of a stanza, after a check of all its lines. Latin-1 preserves the bytes. */
function stanzaKey(source: string, firstLine: number, stanza: string, fields: readonly string[]): string {
  const found = new Map<string, string>();
  stanza.split('\n').forEach((text, index) => {
    if (text.startsWith(' ') || text.startsWith('\t')) return;
    const colon = text.indexOf(':');
    if (colon <= 0)
      throw inputError(source, firstLine + index, 'neither "Field: value" nor its continuation');
    const name = text.slice(0, colon);
    if (fields.includes(name)) found.set(name, text.slice(colon + 1).trim());
  });
  const missing = fields.find((name) => !found.has(name));
  if (missing !== undefined) throw inputError(source, firstLine, `the stanza has no field "${missing}"`);
  return fields.map((name) => found.get(name)).join('=');
}

function leadingNewlines(bytes: Buffer): number {
  let count = 0;
  while (bytes[count] === 0x0a) count += 1;
  return count;
}
