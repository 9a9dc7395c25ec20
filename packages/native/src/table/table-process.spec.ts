/** The addon in other threads and processes: ends in the middle of work, and machines that lack something. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { needs, skipWithout } from '@exopool/house';
import { afterAll, describe, expect, it } from 'vitest';
import { tableEngineSupport } from './engine-support.js';
import { buildTable, type Entry } from '../testing/table.js';

const release = path.resolve(import.meta.dirname, '../../build/Release');
const bpfObject = 'page_cache_lookup.bpf.o';
const bpf = tableEngineSupport().find(({ engine }) => engine === 'page-cache-bpf')!;
const nobody = 65_534;
/** Of a child process that hangs, milliseconds. */
const timeout = 120_000;

const entries = Array.from({ length: 3000 }, (_, i): Entry => [Buffer.from(`key${i}`), Buffer.from(`${i}`)]);
const packedBytes = entries.reduce((sum, [, value]) => sum + 4 + value!.length, 0);

const folder = mkdtempSync(path.join(tmpdir(), 'exopool-process-'));
chmodSync(folder, 0o755);
const file = path.join(folder, 'table');
writeFileSync(file, buildTable(entries));
/** A copy where any user may read it; the checkout may lie in somebody's home. */
const addon = path.join(folder, 'exopool.node');
copyFileSync(path.join(release, 'exopool.node'), addon);
if (bpf.available) copyFileSync(path.join(release, bpfObject), path.join(folder, bpfObject));
afterAll(() => rmSync(folder, { recursive: true }));

/** Why nothing can be run as nobody; Node may lie in root's home. */
const whyNotNobody = (): string | undefined => {
  if (process.getuid?.() !== 0) return 'needs root';
  const { status } = spawnSync(process.execPath, ['-e', ''], { uid: nobody, gid: nobody, cwd: folder });
  return status === 0 ? undefined : `${process.execPath} can be run by root alone`;
};
const noNobody = whyNotNobody();

/** Looks everything up once, hands on the bytes that came back, starts 50 batches and exits at once. */
const script = (engine: number, addonPath: string, tablePath: string, hand: string) => `
  const binding = require(${JSON.stringify(addonPath)});
  const { handle } = binding.openTable(${JSON.stringify(tablePath)}, false, true);
  const keys = Array.from({ length: 3000 }, (_, i) => Buffer.from('key' + i));
  binding.lookupTable(handle, ${engine}, keys).then(({ packed }) => {
    ${hand};
    for (let i = 0; i < 50; i++) binding.lookupTable(handle, ${engine}, keys);
    process.exit(3);
  });`;

describe.each(tableEngineSupport())('$engine', ({ engine, reason }) => {
  const index = tableEngineSupport().findIndex((other) => other.engine === engine);

  it('works in a worker thread, which may end with lookups in flight', async (ctx) => {
    skipWithout(ctx, engine, reason);
    for (let round = 0; round < 5; round += 1) {
      const hand = `require('node:worker_threads').parentPort.postMessage(packed.length)`;
      const worker = new Worker(script(index, addon, file, hand), { eval: true });
      let length: unknown;
      worker.on('message', (message: unknown) => (length = message));
      const status = await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
      expect([length, status]).toEqual([packedBytes, 3]);
    }
  });

  it('lets a process end with lookups in flight', (ctx) => {
    skipWithout(ctx, engine, reason);
    const hand = `require('node:fs').writeSync(1, String(packed.length))`;
    const run = spawnSync(process.execPath, ['-e', script(index, addon, file, hand)], { encoding: 'utf8' });
    expect([run.stdout, run.status, run.signal]).toEqual([String(packedBytes), 3, null]);
  });
});

const ring = tableEngineSupport().find(({ engine }) => engine === 'io-uring')!;

describe('io-uring', needs('io-uring', ring.reason), () => {
  const streaming = `
    const binding = require(${JSON.stringify(addon)});
    const keys = Array.from({ length: 3000 }, (_, i) => Buffer.from('key' + i));
    let answers = 0;
    const failures = [];
    const receive = (count, values, failed = []) => {
      answers += count;
      failures.push(...failed);
      if (answers === 3000) finish();
    };
    const stream = binding.openLookupStream(receive, new Int32Array(32));
    const index = binding.openStoreIndex(0, stream);
    const keyBuffer = Buffer.from(index.key, 0, 512);
    const use = (path) => {
      const { handle } = binding.openTable(path, true, true);
      index.setTables([handle], [Buffer.from('key'), Buffer.from('kez')]);
      index.setEngines([1]);
      return handle;
    };
    const ask = () => {
      keys.forEach((key, token) => index.find(key.copy(keyBuffer), token));
      index.flush();
    };`;

  it('answers single keys in a worker thread, which may end with keys in flight', async () => {
    const code = `${streaming}
      use(require('node:worker_threads').workerData);
      function finish() {
        for (let i = 0; i < 50; i++) ask();
        process.exit(3);
      }
      ask();`;
    for (let round = 0; round < 5; round += 1) {
      const worker = new Worker(code, { eval: true, workerData: file });
      const status = await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
      expect(status).toBe(3);
    }
  });

  it('fails lookups and does not hang when something closes the ring', () => {
    const code = `${streaming}
      const fs = require('node:fs');
      const handle = use(${JSON.stringify(file)});
      binding.ringError();
      for (const fd of fs.readdirSync('/proc/self/fd')) {
        let target = '';
        try { target = fs.readlinkSync('/proc/self/fd/' + fd); } catch {}
        if (target === 'anon_inode:[io_uring]') try { fs.closeSync(Number(fd)); } catch {}
      }
      function finish() {
        binding.lookupTable(handle, 1, keys).then(({ failure }) => {
          console.log(failures.length > 0, failures[0].kind, failure.kind);
        });
      }
      ask();`;
    const run = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8', timeout });
    expect([run.stdout, run.stderr]).toEqual(['true io io\n', '']);
  });

  const lockedMemory = (kibibytes: number, code: string) => {
    const options = { encoding: 'utf8', cwd: folder, uid: nobody, gid: nobody, timeout } as const;
    const limit = `ulimit -l ${kibibytes}; exec "$0" -e "$1"`;
    return spawnSync('sh', ['-c', limit, process.execPath, code], options);
  };

  it('does without registered buffers when little memory may be locked', (ctx) => {
    skipWithout(ctx, 'nobody', noNobody);
    const code = script(1, addon, file, `require('node:fs').writeSync(1, String(packed.length))`);
    const run = lockedMemory(64, code);
    expect([run.stdout, run.status, run.stderr]).toEqual([String(packedBytes), 3, '']);
  });

  it('fails lookups that nobody should have started on a refused ring', (ctx) => {
    skipWithout(ctx, 'nobody', noNobody);
    const code = `${streaming}
      use(${JSON.stringify(file)});
      // Linux 6.14 and later count the ring itself as locked memory.
      const refused = binding.ringError() !== 0;
      function finish() {
        console.log(refused ? failures.length : 3000 - failures.length);
      }
      ask();`;
    expect(lockedMemory(0, code).stdout).toBe('3000\n');
  });
});

describe('what is missing is told with the line that brings it', () => {
  const support = (place: string, options: object) => {
    const print = `console.log(JSON.stringify(require(${JSON.stringify(place)}).bpfSupport()))`;
    const run = spawnSync(process.execPath, ['-e', print], { encoding: 'utf8', cwd: folder, ...options });
    return JSON.parse(run.stdout) as { available: boolean; reason: string; fix: string };
  };

  it('without the BPF program', needs('page-cache-bpf', bpf.reason), () => {
    const alone = path.join(folder, 'alone');
    mkdirSync(alone);
    copyFileSync(addon, path.join(alone, 'exopool.node'));
    expect(support(path.join(alone, 'exopool.node'), {})).toMatchObject({
      available: false,
      fix: 'apt-get install clang libbpf-dev && ./exopool setup',
    });
  });

  it('without the right to load it', needs('page-cache-bpf', bpf.reason), (ctx) => {
    skipWithout(ctx, 'nobody', noNobody);
    const { available, reason, fix } = support(addon, { uid: nobody, gid: nobody });
    expect({ available, reason }).toEqual({
      available: false,
      reason: 'the kernel refuses the BPF program: Operation not permitted',
    });
    expect(fix).toContain('cap_bpf,cap_perfmon');
  });

  it('for every engine that is off', () => {
    for (const { available, reason, fix } of tableEngineSupport()) {
      expect(available || (reason !== undefined && fix !== undefined)).toBe(true);
    }
  });
});
