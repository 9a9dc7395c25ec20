/** The addon in other threads and processes: ends in the middle of work, and machines that lack something. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tableEngineSupport } from './table-file.js';
import { buildTable, type Entry } from './table.fixture.js';

const release = path.resolve(import.meta.dirname, '../build/Release');
const addon = path.join(release, 'exopool.node');
const bpfObject = 'page_cache_lookup.bpf.o';
const hasBpf = tableEngineSupport().every(({ available }) => available);
const nobody = 65_534;

const entries = Array.from({ length: 3000 }, (_, i): Entry => [Buffer.from(`key${i}`), Buffer.from(`${i}`)]);
const packedBytes = entries.reduce((sum, [, value]) => sum + 4 + value!.length, 0);

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-process-'));
  chmodSync(folder, 0o755);
  file = path.join(folder, 'table');
  writeFileSync(file, buildTable(entries));
});
afterAll(() => rmSync(folder, { recursive: true }));

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

describe.each(tableEngineSupport())('$engine', ({ engine, available, reason }) => {
  const index = engine === 'pread' ? 0 : 1;
  const unavailable = available ? undefined : `${engine}: ${reason ?? ''}`;

  it('works in a worker thread, which may end with lookups in flight', async (ctx) => {
    ctx.skip(unavailable !== undefined, unavailable);
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
    ctx.skip(unavailable !== undefined, unavailable);
    const hand = `require('node:fs').writeSync(1, String(packed.length))`;
    const run = spawnSync(process.execPath, ['-e', script(index, addon, file, hand)], { encoding: 'utf8' });
    expect([run.stdout, run.status, run.signal]).toEqual([String(packedBytes), 3, null]);
  });
});

describe('what is missing is told with the line that brings it', () => {
  const support = (options: object) => {
    const place = path.join(folder, 'exopool.node');
    copyFileSync(addon, place);
    const print = `console.log(JSON.stringify(require(${JSON.stringify(place)}).bpfSupport()))`;
    const run = spawnSync(process.execPath, ['-e', print], { encoding: 'utf8', cwd: folder, ...options });
    return JSON.parse(run.stdout) as { available: boolean; reason: string; fix: string };
  };

  it.skipIf(!hasBpf)('without the BPF program', () => {
    expect(support({})).toMatchObject({
      available: false,
      fix: 'apt-get install clang libbpf-dev && ./exopool setup',
    });
  });

  it.skipIf(!hasBpf || process.getuid?.() !== 0)('without the right to load it', () => {
    copyFileSync(path.join(release, bpfObject), path.join(folder, bpfObject));
    const { available, reason, fix } = support({ uid: nobody, gid: nobody });
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
