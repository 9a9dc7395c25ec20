import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeManifest,
  encodeManifest,
  readManifest,
  switchManifest,
  tableName,
  type Manifest,
} from './manifest.js';
import { inFolder } from '../testing/folder.js';

const manifest: Manifest = {
  next: 8,
  log: 3,
  tables: [
    {
      file: '000007.table',
      id: '0123456789abcdef',
      entries: 12,
      bytes: 8192,
      smallestKey: Buffer.from('a'),
      largestKey: Buffer.from('zz'),
    },
  ],
};

describe('manifest', () => {
  it('is read back as it was written', async () => {
    await inFolder(async (folder) => {
      expect(await readManifest(folder)).toBeUndefined();
      await switchManifest(folder, { next: 1, log: 1, tables: [] });
      await switchManifest(folder, manifest);
      expect(await readManifest(folder)).toEqual(manifest);
      expect(await readdir(folder)).toEqual(['MANIFEST']);
    });
  });

  it('has golden bytes', () => {
    expect(encodeManifest(manifest)).toBe(
      '{"format":"exopool-store","version":2,"next":8,"log":3,"tables":[{"file":"000007.table",' +
        '"id":"0123456789abcdef","entries":12,"bytes":8192,"smallest":"61","largest":"7a7a"}],"checksum":"8ecd5a0a"}\n',
    );
  });

  it('notices any changed byte, and names the file', () => {
    const bytes = Buffer.from(encodeManifest(manifest));
    fc.assert(
      fc.property(fc.nat(bytes.length - 2), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= flip;
        expect(() => decodeManifest(damaged.toString('utf8'), '/s/MANIFEST')).toThrow(
          expect.objectContaining({
            code: expect.stringMatching(/^EXOPOOL_(CORRUPT|VERSION)$/) as string,
            message: expect.stringContaining('/s/MANIFEST') as string,
          }),
        );
      }),
    );
  });

  it.each([
    '',
    'x',
    'null',
    '[]',
    '{}',
    '{"format":"exopool-store"}',
    '{"format":"exopool-store","version":2}',
  ])('refuses %j', async (text) => {
    await inFolder(async (folder) => {
      await writeFile(join(folder, 'MANIFEST'), text);
      await expect(readManifest(folder)).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
    });
  });

  it('of a newer version says so, whatever else is new in it', () => {
    const text = '{"format":"exopool-store","version":3,"wals":[]}';
    expect(() => decodeManifest(text, 'MANIFEST')).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_VERSION' }),
    );
  });

  it('of an older version says so', () => {
    const text = '{"format":"exopool-store","version":1,"next":1,"tables":[],"checksum":"00000000"}';
    expect(() => decodeManifest(text, 'MANIFEST')).toThrow(
      expect.objectContaining({
        code: 'EXOPOOL_VERSION',
        message: expect.stringContaining('load') as string,
      }),
    );
  });

  it('names tables so that they sort', () => {
    expect([tableName(7), tableName(1_234_567)]).toEqual(['000007.table', '1234567.table']);
  });
});
