import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { needs } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toList } from '../testing/chunks.js';
import { formatByContent, formatByName, readEntries, type ReadOptions } from './read-entries.js';

const plain = Buffer.from('{"key":"a","value":"1"}\n{"key":"b","value":"2"}\n');
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exopool-readers-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function keysOf(name: string, bytes: Buffer, options?: ReadOptions): Promise<string[]> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  const source = await readEntries(path, options);
  const keys = (await toList(source.entries)).map(([key]) => key.toString());
  expect(source.bytesRead()).toBe(bytes.length);
  return keys;
}

describe('formats', () => {
  it.each([
    ['/x/data.jsonl', 'jsonl'],
    ['data.ndjson.gz', 'jsonl'],
    ['data.CSV.xz', 'csv'],
    ['x.tsv', 'csv'],
    ['deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4', 'packages'],
    ['Packages', 'packages'],
    ['data.bin', undefined],
  ])('are told by name: %s', (name, format) => expect(formatByName(name)).toBe(format));

  it.each([
    [' {"a":1}\n', 'jsonl'],
    ['Package: x\n', 'packages'],
    ['id,name\n1,2\n', 'csv'],
    ['', undefined],
  ])('are told by content: %j', (text, format) => expect(formatByContent(Buffer.from(text))).toBe(format));
});

describe('compression', () => {
  const compressors = [
    { name: 'gzip', compress: (bytes: Buffer) => gzipSync(bytes) },
    { name: 'xz', compress: (bytes: Buffer) => execFileSync('xz', ['-c'], { input: bytes }) },
    {
      name: 'lz4',
      compress: (bytes: Buffer) =>
        execFileSync('lz4', ['-zc'], { input: bytes, stdio: ['pipe', 'pipe', 'ignore'] }),
    },
  ];
  for (const { name, compress } of compressors) {
    const missing = name !== 'gzip' && spawnSync(name, ['--version']).error !== undefined;
    describe(name, needs('compressors', missing ? `${name} is not installed` : undefined), () => {
      it('is found by content and unpacked', async () => {
        expect(await keysOf(`${name}.data`, compress(plain))).toEqual(['a', 'b']);
      });

      it('that is cut short or damaged is EXOPOOL_INPUT', async () => {
        const sound = compress(Buffer.concat(Array.from({ length: 500 }, () => plain)));
        const cut = sound.subarray(0, sound.length - 12);
        await expect(keysOf('cut.jsonl', cut)).rejects.toThrow(
          expect.objectContaining({ code: 'EXOPOOL_INPUT' }),
        );
      });
    });
  }

  it('without its program is EXOPOOL_UNSUPPORTED with the line to install it', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = folder;
    try {
      const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00]);
      await expect(keysOf('x.jsonl', xz)).rejects.toThrow(/apt-get install xz-utils/);
    } finally {
      process.env['PATH'] = path;
    }
  });
});

describe('readEntries', () => {
  it('stops early without leaving anything behind', async () => {
    const path = join(folder, 'early.jsonl.gz');
    await writeFile(path, gzipSync(Buffer.concat(Array.from({ length: 10_000 }, () => plain))));
    const source = await readEntries(path);
    for await (const [key] of source.entries) {
      expect(key.toString()).toBe('a');
      break;
    }
  });

  it('reads a folder as its files', async () => {
    const tree = join(folder, 'tree');
    await mkdir(join(tree, 'sub'), { recursive: true });
    await writeFile(join(tree, 'sub', 'text'), 'hello');
    await writeFile(join(tree, 'binary'), Buffer.from([1, 0, 2]));
    const source = await readEntries(tree);
    const entries = (await toList(source.entries)).map(([key, value]) => [
      key.toString(),
      JSON.parse(value.toString()) as unknown,
    ]);
    expect(Object.fromEntries(entries)).toMatchObject({
      [join(tree, 'sub', 'text')]: { size: 5, content: 'hello' },
      [join(tree, 'binary')]: { size: 3 },
    });
  });

  it.each([
    ['nowhere.jsonl', undefined, 'EXOPOOL_NOT_FOUND'],
    ['unknown', Buffer.from('???'), 'EXOPOOL_USAGE'],
    ['no-key.csv', Buffer.from('a,b\n1,2\n'), 'EXOPOOL_USAGE'],
  ])('of %s is refused', async (name, bytes, code) => {
    if (bytes) await writeFile(join(folder, name), bytes);
    await expect(readEntries(join(folder, name))).rejects.toThrow(expect.objectContaining({ code }));
  });
});
