import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { skipWithout } from '@exopool/house';
import { expect, it } from 'vitest';

/** About a second of inputs; the long form has the number that a release must stand. */
const iterations = process.env['EXOPOOL_TEST_ALL'] === '1' ? '1000000' : '50000';
/** Most of it is compiling, on a machine that may be busy. */
const timeoutMs = process.env['EXOPOOL_TEST_ALL'] === '1' ? 3_600_000 : 1_200_000;
const noSanitizers = 77;

it(
  'the fuzz targets stand mutated inputs, under the sanitizers',
  (ctx) => {
    const script = path.resolve(import.meta.dirname, '../scripts/fuzz.mjs');
    const run = spawnSync(process.execPath, [script, iterations], { encoding: 'utf8' });
    if (run.status === noSanitizers) skipWithout(ctx, 'sanitizers', run.stdout.trim());
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
  },
  timeoutMs,
);
