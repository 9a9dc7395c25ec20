import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync, watch, writeSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Store } from '@exopool/bpf-storage';
import { needsBuild, runExopool, type Outcome } from './testing/run-exopool.js';

const lines = Array.from({ length: 300 }, (_, i) =>
  JSON.stringify({ key: `k${i}`, value: `value ${i}` }),
).join('\n');
interface Sizes {
  readonly before: object;
  readonly after: object;
}

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

/** Node.js itself catches SIGINT from its start on, but not SIGHUP. */
function takesSignals(pid: number): boolean {
  const caught = /^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${caught}`) & 1n) === 1n;
}

describe('exopool store', needsBuild, () => {
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
    const [fresh, pipe] = [join(folder, 'stopped'), join(folder, 'pipe')];
    execFileSync('mkfifo', [pipe]);
    let isStopped = false;
    const input = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    const outcome = await runExopool(['store', 'load', '--from', pipe, '--format', 'jsonl', fresh], {
      onStart: (child) => {
        // An input without an end; the signal comes once the load has read some of it.
        const feed = setInterval(() => {
          try {
            writeSync(input, '{"key":"a","value":"b"}\n');
          } catch {
            // The pipe is full.
          }
          if (!existsSync(fresh) || isStopped) return;
          isStopped = true;
          child.kill('SIGINT');
        }, 10);
        child.once('exit', () => clearInterval(feed));
      },
    });
    closeSync(input);
    expect(outcome.status).toBe(130);
    expect(errorLine(outcome.stderr)).toContain('EXOPOOL_ABORTED: stopped by SIGINT');
    expect(existsSync(fresh)).toBe(false);
  });

  it.each([
    ['standard input', ''],
    ['standard input that has begun', '{"key":"a","value":"b"}\n'],
    ['compressed input', gzipSync('')],
  ])('stops at the first SIGINT also while %s is silent', async (name, begin) => {
    const silent = join(folder, `silent ${name}`);
    execFileSync('mkfifo', [silent]);
    const fresh = join(folder, 'never');
    const input = openSync(silent, constants.O_RDWR | constants.O_NONBLOCK);
    writeSync(input, Buffer.from(begin));
    const words = ['store', 'load', '--format', 'jsonl', '--from', '-', fresh];
    const outcome = await runExopool(words, {
      prefix: ['sh', '-c', 'exec "$@" <"$0"', silent],
      onStart: (child) => {
        const poll = setInterval(() => {
          if (!takesSignals(child.pid!)) return;
          clearInterval(poll);
          child.kill('SIGINT');
        }, 50);
        child.once('exit', () => clearInterval(poll));
      },
    });
    closeSync(input);
    expect(outcome.status).toBe(130);
    expect(errorLine(outcome.stderr)).toContain('EXOPOOL_ABORTED: stopped by SIGINT');
    expect(existsSync(fresh)).toBe(false);
  });

  describe('compact', () => {
    const inTables = async (): Promise<string> => {
      const path = join(await mkdtemp(join(folder, 'tables-')), 'store');
      await using opened = await Store.open(path);
      const value = Buffer.alloc(8192, 'v');
      for (const count of [4096, 2048]) {
        await opened.load(Array.from({ length: count }, (_, i) => [`k${i}`, value] as const));
      }
      return path;
    };

    it('makes one table of all, and says what that saved', async () => {
      const path = await inTables();
      const outcome = await runExopool(['store', 'compact', path]);
      expect(outcome).toMatchObject({ status: 0, stderr: '' });
      expect(outcome.stdout).toMatch(
        /^before [\d.]+ MiB in 2 tables, 6,144 entries\nafter {2}[\d.]+ MiB in 1 table, 4,096 entries, in [\d.]+ s\n$/,
      );
      const again = JSON.parse((await runExopool(['store', 'compact', path, '--json'])).stdout) as Sizes;
      expect(again.before).toEqual(again.after);
      expect(again.after).toMatchObject({ tables: 1, entries: 4096 });
      expect((await runExopool(['store', 'verify', path])).status).toBe(0);
    });

    const tablesOf = async (path: string): Promise<string[]> =>
      (await readdir(path)).filter((name) => name.endsWith('.table')).sort();

    /** The signal comes once the merged table is being written. */
    const interrupt = (path: string, before: readonly string[], signal: NodeJS.Signals): Promise<Outcome> =>
      runExopool(['store', 'compact', path], {
        onStart: (child) => {
          const watcher = watch(path, (_event, name) => {
            if (name?.endsWith('.table') !== true || before.includes(name)) return;
            watcher.close();
            child.kill(signal);
          });
          child.once('exit', () => watcher.close());
        },
      });

    it.each([
      ['SIGINT', 130],
      ['SIGHUP', 129],
    ] as const)('leaves the store as it was on %s', async (signal, status) => {
      let path: string, before: string[], outcome: Outcome;
      do {
        path = await inTables();
        before = await tablesOf(path);
        outcome = await interrupt(path, before, signal);
        // Done before the signal came, on a busy machine: once more.
      } while (outcome.status === 0);
      expect(outcome.status).toBe(status);
      expect(errorLine(outcome.stderr)).toContain(`EXOPOOL_ABORTED: stopped by ${signal}`);
      expect(await tablesOf(path)).toEqual(before);
      expect((await runExopool(['store', 'verify', path])).status).toBe(0);
    });
  });

  it('ends quietly when the reader of its output goes away', async () => {
    const outcome = await runExopool(['store', 'scan', store], {
      onStart: (child) => child.stdout?.destroy(),
    });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
  });

  it('says so when its output cannot be written', async () => {
    const toFull = ['sh', '-c', 'exec "$@" >/dev/full', 'sh'];
    for (const words of [
      ['scan', store],
      ['get', store, 'k7'],
      ['verify', store],
    ]) {
      const outcome = await runExopool(['store', ...words], { prefix: toFull });
      expect(outcome.status).toBe(1);
      expect(errorLine(outcome.stderr)).toMatch(/EXOPOOL_NO_SPACE: cannot write the output/);
    }
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
    [['store', 'compact', '/nowhere'], 1, 'EXOPOOL_NOT_FOUND'],
    [['store', 'scan', '/nowhere', '--raw', '--json'], 2, 'EXOPOOL_USAGE'],
    [['store', 'compact'], 2, 'EXOPOOL_USAGE'],
    [['stroe'], 2, 'EXOPOOL_USAGE'],
    [['help', 'stroe'], 2, 'EXOPOOL_USAGE'],
    [['store', 'help', 'gte'], 2, 'EXOPOOL_USAGE'],
    [['broker', '--port', 'x'], 2, 'EXOPOOL_CONFIG'],
    [['producer', '--broker', 'x'], 2, 'EXOPOOL_CONFIG'],
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
