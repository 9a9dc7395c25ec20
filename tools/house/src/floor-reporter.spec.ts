/** The floor in a run of vitest, of a project of its own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from './repository.js';

const spec = `
import { needs, skipWithout } from '@exopool/house';
import { describe, expect, it } from 'vitest';
it('passes', () => undefined);
describe('a server', needs('redis', 'not installed'), () => {
  it('answers', () => expect(1).toBe(2));
});
it('finds out', (context) => skipWithout(context, 'zram', 'no device'));
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-floor-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const reporter = join(root, 'tools/house/dist/floor-reporter.js');
  const config = `import { FloorReporter } from '${reporter}';
    export default { test: { reporters: [new FloorReporter()], includeTaskLocation: true } };`;
  writeFileSync(join(folder, 'vitest.config.mjs'), config);
  writeFileSync(join(folder, 'a.spec.ts'), spec);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(required: string): Promise<{ status: number; output: string; totals: string }> {
  const totals = join(folder, 'totals');
  const env = { ...process.env, EXOPOOL_TEST_REQUIRE: required, EXOPOOL_TEST_TOTALS: totals };
  const words = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder];
  const [status, output] = await new Promise<[number, string]>((resolve) => {
    const child = execFile(process.execPath, words, { env, cwd: folder }, (_, stdout, stderr) =>
      resolve([child.exitCode ?? -1, stdout + stderr]),
    );
  });
  return { status, output, totals: readFileSync(totals, 'utf8') };
}

it('skips of features that nobody asks for are counted', async () => {
  const { status, output, totals } = await run('fio');
  expect({ status, totals }).toEqual({ status: 0, totals: '1 passed, 0 failed, 2 skipped\n' });
  expect(output).toContain('1 x redis: not installed');
});

it('a skip of a required feature fails the run, with the line that brings it', async () => {
  const { status, output, totals } = await run('fio,redis');
  expect({ status, totals }).toEqual({ status: 1, totals: '1 passed, 1 failed, 1 skipped\n' });
  expect(output).toMatch(
    /a\.spec\.ts:6 a server > answers: .*'redis': not installed; apt-get install redis-/,
  );
});

it('so does one that does not say what it lacks', async () => {
  writeFileSync(join(folder, 'a.spec.ts'), `import { it } from 'vitest'; it.skip('a', () => undefined);`);
  const { status, output, totals } = await run('');
  expect({ status, totals }).toEqual({ status: 1, totals: '0 passed, 1 failed, 0 skipped\n' });
  expect(output).toMatch(/a\.spec\.ts:1 a: skipped without a reason/);
});
