import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';

/** About a second of inputs; `nx fuzz native` runs for longer. */
const iterations = '50000';
const noSanitizers = 77;

it('the fuzz targets stand mutated inputs, under the sanitizers', (ctx) => {
  const script = path.resolve(import.meta.dirname, '../scripts/fuzz.mjs');
  const run = spawnSync(process.execPath, [script, iterations], { encoding: 'utf8' });
  ctx.skip(run.status === noSanitizers, run.stdout.trim());
  expect(run.stderr).toBe('');
  expect(run.status).toBe(0);
});
