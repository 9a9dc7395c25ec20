import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readUsage } from './usage-trace.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-usage-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const head = 'vm,step,cpu_pct,mem_pct\n';
const read = (text: string | Buffer, name = 'usage.csv'): ReturnType<typeof readUsage> => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return readUsage(path);
};

describe('readUsage', () => {
  it('reads machines by step, plain and compressed, with gaps and values out of range', async () => {
    const text = `${head}b,0,1,50\na,1,2,150\nb,2,3,-4\n`;
    const expected = [Float64Array.of(0.5, NaN, 0), Float64Array.of(NaN, 1, NaN)];
    expect(await read(text)).toEqual(expected);
    expect(await read(gzipSync(text), 'usage.csv.gz')).toEqual(expected);
  });

  it.each([
    ['', /line 0: there are no values/],
    ['vm,step\n', /line 1: the first line/],
    [head, /no values/],
    [`${head}a,0,1\n`, /line 2: 4 values/],
    [`${head}a,-1,1,1\n`, /line 2: a step/],
    [`${head}a,1e9,1,1\n`, /line 2: a step/],
    [`${head}a,0,1,x\n`, /line 2: mem_pct/],
    [`${head}a,0,1,1\na,0,1,1\n`, /line 3: VM a has step 0 twice/],
  ])('refuses %j', async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'EXOPOOL_INPUT',
      message: expect.stringMatching(message) as string,
    });
  });

  it('says that a file is not there, or not compressed', async () => {
    await expect(readUsage(join(folder, 'none'))).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
    await expect(readUsage(join(folder, 'none.gz'))).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
    await expect(read(head, 'plain.gz')).rejects.toThrow(/cannot read .*plain\.gz/);
  });
});
