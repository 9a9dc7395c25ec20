import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inChunks, toList } from '../testing/chunks.js';
import { readCsv } from './csv.js';
import type { Entry } from './entry.js';
import { readJsonLines } from './json-lines.js';
import { readPackagesIndex } from './packages-index.js';

async function texts(entries: AsyncIterable<Entry>): Promise<[string, string][]> {
  return (await toList(entries)).map(([key, value]) => [key.toString(), value.toString()]);
}

describe('JSON Lines', () => {
  const read = (text: string, key?: string): Promise<[string, string][]> =>
    texts(readJsonLines('in.jsonl', inChunks(Buffer.from(text)), key));

  it('takes key and value, or a field and the whole line', async () => {
    const lines = '{"key":"a","value":"ä"}\n\n{"key":2,"value":{"x":[1]}}\n';
    expect(await read(lines)).toEqual([
      ['a', 'ä'],
      ['2', '{"x":[1]}'],
    ]);
    expect(await read('{"id": 7, "n": 1}\n', 'id')).toEqual([['7', '{"id": 7, "n": 1}']]);
  });

  it.each([
    ['{"key":"a","value":1}\nnonsense', /^in\.jsonl, line 2: not JSON/],
    ['[1]', /line 1: a JSON object/],
    ['{"key":"a"}', /line 1: the object has no field "value"/],
    ['{"key":"","value":1}', /line 1: the key is empty/],
    [`{"key":"${'k'.repeat(512)}","value":1}`, /line 1: the key has 512 bytes/],
    ['{"__proto__":1,"value":1}', /no field "key"/],
  ])('refuses %j with its line', async (text, message) => {
    await expect(read(text)).rejects.toThrow(expect.objectContaining({ code: 'EXOPOOL_INPUT' }));
    await expect(read(text)).rejects.toThrow(message);
  });
});

describe('CSV', () => {
  const read = (text: string, delimiter?: string): Promise<[string, string][]> =>
    texts(
      readCsv('in.csv', inChunks(Buffer.from(text), [5]), { key: 'id', ...(delimiter && { delimiter }) }),
    );

  it('takes a column as the key and the row as the value', async () => {
    expect(await read('\ufeffid,name\n1,"a, ""b""\nc"\n2,é\n')).toEqual([
      ['1', '{"id":"1","name":"a, \\"b\\"\\nc"}'],
      ['2', '{"id":"2","name":"é"}'],
    ]);
    expect(await read('id;n\n1;2\n', ';')).toEqual([['1', '{"id":"1","n":"2"}']]);
  });

  it.each([
    ['name\nx\n', /there is no column "id" \(columns: name\)/],
    ['id,name\n1,2,3\n', /line 2: /],
    ['id,name\n1,"open\n', /in\.csv, line \d+: /],
  ])('refuses %j with its line', async (text, message) => {
    await expect(read(text)).rejects.toThrow(expect.objectContaining({ code: 'EXOPOOL_INPUT' }));
    await expect(read(text)).rejects.toThrow(message);
  });

  it('passes on an error of the input', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield await Promise.resolve(Buffer.from('id\n1\n'));
      throw new Error('the disk is gone');
    }
    await expect(texts(readCsv('in.csv', broken(), { key: 'id' }))).rejects.toThrow('the disk is gone');
  });
});

describe('package indexes', () => {
  const index =
    'Package: a\nVersion: 1\nDescription: x\n more\n\nPackage: a\nVersion: 2\n\n\nPackage: b\nVersion: 1\n';
  const read = (text: string, key?: string): Promise<[string, string][]> =>
    texts(readPackagesIndex('Packages', inChunks(Buffer.from(text), [3, 11]), key));

  it('takes stanzas by name, or by several fields', async () => {
    const entries = await read(index);
    expect(entries.map(([key]) => key)).toEqual(['a', 'a', 'b']);
    expect(entries[0]![1]).toBe('Package: a\nVersion: 1\nDescription: x\n more');
    expect((await read(index, 'Package=Version')).map(([key]) => key)).toEqual(['a=1', 'a=2', 'b=1']);
  });

  it.each([
    ['Package: a\n\nVersion: 1\n', /line 3: the stanza has no field "Package"/],
    ['Package: a\nnonsense\n', /line 2: neither/],
  ])('refuses %j with its line', async (text, message) => {
    await expect(read(text)).rejects.toThrow(expect.objectContaining({ code: 'EXOPOOL_INPUT' }));
    await expect(read(text)).rejects.toThrow(message);
  });
});

describe('hostile bytes', () => {
  it('are entries or EXOPOOL_INPUT, nothing else', async () => {
    const readers = [
      (bytes: Buffer) => readJsonLines('x', inChunks(bytes)),
      (bytes: Buffer) => readCsv('x', inChunks(bytes), { key: 'a' }),
      (bytes: Buffer) => readPackagesIndex('x', inChunks(bytes)),
    ];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .string({ unit: fc.constantFrom('a', ',', '"', '\n', '{', '}', ':', ' ', '\u0000'), maxLength: 80 })
        .map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom(...readers), async (input, read) => {
        const outcome: unknown = await toList(read(Buffer.from(input))).catch((error: unknown) => error);
        if (!Array.isArray(outcome)) expect(outcome).toMatchObject({ code: 'EXOPOOL_INPUT' });
      }),
    );
  });
});
