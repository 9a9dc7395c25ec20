import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertWritable, writeJson } from './output-file.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exopool-output-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a file of results', () => {
  it('keeps what an earlier run wrote until there is something new', async () => {
    const path = join(folder, 'out.json');
    await writeFile(path, 'earlier');
    await assertWritable(path);
    expect(await readFile(path, 'utf8')).toBe('earlier');
    await writeJson(path, { a: 1 });
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ a: 1 });
  });

  it('may lie in a folder that is not there yet', async () => {
    await assertWritable(join(folder, 'new', 'out.json'));
    expect(await readFile(join(folder, 'new', 'out.json'), 'utf8')).toBe('');
  });

  it('is refused before the work when it is a folder', async () => {
    await expect(assertWritable(folder)).rejects.toMatchObject({
      code: 'EXOPOOL_IO',
      message: expect.stringContaining(`cannot write ${folder}`) as string,
    });
  });
});
