import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writePicture } from '../report/picture.js';
import type { Row, SuiteResult } from '../suite.js';
import { lookupPicture } from './picture.js';
import { coldGet, hotGet, nameOf } from './workloads.js';

const rate = (contender: string, ops_per_s: number, workload = coldGet): Row => ({
  name: nameOf(workload),
  contender,
  ops_per_s,
  ops_per_s_min: ops_per_s * 0.9,
  ops_per_s_max: ops_per_s * 1.1,
});
const result = (rows: readonly Row[]): SuiteResult => ({
  suite: 'lookup',
  setup: {},
  notes: [],
  rows,
  ratios: {},
  checks: {},
  plots: [],
  picture: lookupPicture(rows, { records: 880_000, dataBytes: 390e6, rounds: 3 }),
});

describe('the picture of suite lookup', () => {
  it('is drawn for light pages and dark ones, with the ratios and who failed', async () => {
    const cold = [rate('exopool', 30_000), rate('lmdb tuned', 15_000), rate('lmdb default', 6000)];
    const hot = [rate('exopool', 90_000, hotGet), rate('lmdb tuned', 30_000, hotGet)];
    const failed: Row = { name: nameOf(coldGet), contender: 'rocksdb default', failed: 'no memory' };
    const folder = await mkdtemp(join(tmpdir(), 'exopool-picture-'));
    try {
      const files = await writePicture(result([...cold, ...hot, failed]), join(folder, 'docs/cold'));
      expect(files.map((file) => basename(file))).toEqual(['cold-light.svg', 'cold-dark.svg']);
      const [light, dark] = await Promise.all(files.map((file) => readFile(file, 'utf8')));
      expect(light).toContain('2.0× the best peer past memory, 3.0× the best peer in memory');
      expect(light).toContain('failed: rocksdb default');
      expect(dark).not.toBe(light);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is refused for a run without peers', async () => {
    await expect(writePicture(result([rate('exopool', 1)]), '/nowhere/x')).rejects.toMatchObject({
      code: 'EXOPOOL_USAGE',
    });
  });
});
