import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isBuilt, runExopool } from './testing/run-exopool.js';

const lines = Array.from({ length: 300 }, (_, i) =>
  JSON.stringify({ key: `k${i}`, value: `value ${i}` }),
).join('\n');
let folder = '';
let store = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exopool-cli-'));
  store = join(folder, 'store');
});
afterAll(() => rm(folder, { recursive: true }));

/** Every error is one line with its code. */
function errorLine(stderr: string): string {
  expect(stderr).toMatch(/^exopool: EXOPOOL_[A-Z_]+: [^\n]+\n$/);
  return stderr;
}

describe.skipIf(!isBuilt)(`exopool store${isBuilt ? '' : ' (needs the build)'}`, () => {
  it('loads from standard input, gets, scans and verifies', async () => {
    const loaded = await runExopool(['store', 'load', '--from', '-', store], { input: lines });
    expect(loaded).toMatchObject({ status: 0, stderr: '' });
    expect(loaded.stdout).toMatch(/^loaded 300 entries, [\d.]+ KiB, in [\d.]+ s: [\d,]+ entries\/s/);

    expect((await runExopool(['store', 'get', store, 'k7'])).stdout).toBe('value 7');
    const json = await runExopool(['store', 'get', store, 'k7', '--engine', 'pread', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ key: 'k7', value: 'value 7' });

    const scanned = await runExopool(['store', 'scan', store, '--prefix', 'k1', '--limit', '2', '--reverse']);
    expect(scanned.stdout).toBe('k199\tvalue 199\nk198\tvalue 198\n');
    const stat = await runExopool(['store', 'stat', store, '--json']);
    expect(stat.stdout).toContain('"tableEntries":300');
    expect((await runExopool(['store', 'verify', store])).stdout).toMatch(/^ok +true\n/);
    expect((await runExopool(['store', 'get', store, 'k299'])).stdout).toBe('value 299');
  });

  it('leaves nothing behind when a load fails, neither a new store nor a changed one', async () => {
    const bad = `${lines}\n{"key":`;
    const fresh = join(folder, 'fresh');
    const outcome = await runExopool(['store', 'load', '--from', '-', fresh], { input: bad });
    expect(outcome.status).toBe(1);
    expect(errorLine(outcome.stderr)).toMatch(/EXOPOOL_INPUT: standard input, line 301: not JSON/);
    expect(existsSync(fresh)).toBe(false);

    const before = (await readdir(store)).sort();
    expect((await runExopool(['store', 'load', '--from', '-', store], { input: bad })).status).toBe(1);
    expect((await readdir(store)).sort()).toEqual(before);
    expect((await runExopool(['store', 'get', store, 'k7'])).stdout).toBe('value 7');
  });

  it('stops cleanly on SIGINT', async () => {
    const fresh = join(folder, 'stopped');
    const input = `{"key":"a","value":"${'x'.repeat(1 << 20)}"}\n`;
    const outcome = await runExopool(['store', 'load', '--from', '/dev/stdin', '--format', 'jsonl', fresh], {
      onStart: (child) => {
        // An input without an end; the signal comes once the load has read some of it.
        const feed = setInterval(() => child.stdin?.write(input), 5);
        const stop = setInterval(() => {
          if (existsSync(fresh)) child.kill('SIGINT');
        }, 50);
        child.once('exit', () => {
          clearInterval(feed);
          clearInterval(stop);
        });
      },
    });
    expect(outcome.status).not.toBe(0);
    expect(existsSync(fresh)).toBe(false);
  });

  it('ends quietly when the reader of its output goes away', async () => {
    const outcome = await runExopool(['store', 'scan', store], {
      onStart: (child) => child.stdout?.destroy(),
    });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
  });

  it('names file and offset of a damaged table', async () => {
    const damaged = join(folder, 'damaged');
    await runExopool(['store', 'load', '--from', '-', damaged], { input: lines });
    const table = (await readdir(damaged)).find((name) => name.endsWith('.table'))!;
    const bytes = await readFile(join(damaged, table));
    bytes[5000]! ^= 1;
    await writeFile(join(damaged, table), bytes);
    const outcome = await runExopool(['store', 'verify', damaged]);
    expect(outcome.status).toBe(1);
    expect(errorLine(outcome.stderr)).toMatch(new RegExp(`EXOPOOL_CORRUPT: .*${table}.*4096`));
  });

  it.each([
    [['store', 'get', '/nowhere', 'k'], 1, 'EXOPOOL_NOT_FOUND'],
    [['store', 'load', '--from', '/nowhere.jsonl', '/tmp/x'], 1, 'EXOPOOL_NOT_FOUND'],
    [['store', 'get', '/nowhere', 'k', '--engin', 'x'], 2, 'EXOPOOL_USAGE'],
    [['store', 'get', '/nowhere', 'k', '--engine', 'x'], 2, 'EXOPOOL_USAGE'],
    [['store', 'get', '/nowhere'], 2, 'EXOPOOL_USAGE'],
    [['store', 'scan', '/nowhere', '--limit', '-1'], 2, 'EXOPOOL_USAGE'],
    [['stroe'], 2, 'EXOPOOL_USAGE'],
    [['broker', '--port', 'x'], 2, 'EXOPOOL_CONFIG'],
    [['broker', '--config', '/nowhere.json'], 1, 'EXOPOOL_NOT_FOUND'],
    [['demo', '--seconds', '3'], 2, 'EXOPOOL_USAGE'],
  ] as const)('refuses %j in one line', async (words, status, code) => {
    const outcome = await runExopool(words);
    expect(outcome.status).toBe(status);
    expect(errorLine(outcome.stderr)).toContain(`exopool: ${code}: `);
  });

  it('suggests what was meant', async () => {
    expect((await runExopool(['stroe'])).stderr).toMatch(/Did you mean store\?/);
    expect((await runExopool(['store', 'get', 'x', 'k', '--jsno'])).stderr).toMatch(/Did you mean --json\?/);
  });
});
