/** More data than memory: loaded, updated, compacted and verified by a process that stays within its memory budget. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { inFolder } from './testing/folder.js';

const isLong = process.env['EXOPOOL_TEST_ALL'] === '1';
const records = isLong ? 10_000_000 : 200_000;
const timeout = isLong ? 3_600_000 : 600_000;
const mebibyte = 1024 * 1024;

const budget = { cacheBytes: 32 * mebibyte, memtableBytes: 16 * mebibyte, runBytes: 48 * mebibyte };
/**
 * Memory that does not depend on these: Node and its heap (some 110 MiB), buffers of native threads, interior pages, and
 * per record 1.3 bytes of filter twice, while one is written and while it is verified, and 1 of this test's own.
 */
const otherBytes = 180 * mebibyte + records * 4;
const budgetBytes = budget.cacheBytes + 2 * budget.memtableBytes + budget.runBytes + otherBytes;

const script = `
  import { readFileSync } from 'node:fs';
  import { Store } from '@exopool/bpf-storage';
  const [folder, count, settings] = process.argv.slice(1);
  const records = Number(count);
  const { runBytes, ...options } = JSON.parse(settings);
  const peakMiB = () => Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) >> 10;
  const steps = [];
  let start = performance.now();
  const done = (step, work) => {
    const seconds = (performance.now() - start) / 1000;
    steps.push({ step, seconds: Number(seconds.toFixed(2)), perSecond: Math.round(work / seconds), peakMiB: peakMiB() });
    start = performance.now();
  };
  const keyOf = (index) => 'key ' + String(Math.imul(index, 0x9e3779b1) >>> 0).padStart(10, '0');
  const valueOf = (index, version) => (index + ' ' + version + ' ').padEnd(200, 'v');
  function* entries() {
    for (let index = 0; index < records; index += 1) yield [keyOf(index), valueOf(index, 0)];
  }
  const store = await Store.open(folder, { ...options, sync: false });
  await store.load(entries(), { runBytes });
  done('load', records);
  // 0: as loaded, 255: deleted, else the version.
  const versions = new Uint8Array(records);
  const updates = records / 5;
  let next = 0;
  await Promise.all(Array.from({ length: 128 }, async () => {
    while (next < updates) {
      const number = next++;
      const index = (number * 7919) % records;
      const isDeletion = number % 10 === 0;
      versions[index] = isDeletion ? 255 : 1 + (number % 200);
      await (isDeletion ? store.del(keyOf(index)) : store.put(keyOf(index), valueOf(index, versions[index])));
    }
  }));
  done('update', updates);
  await store.compact();
  done('compact', records);
  const report = await store.verify();
  done('verify', records);
  const { count: found } = await store.aggregate();
  done('count', records);
  let checked = 0;
  for (let index = 0; index < records; index += Math.ceil(records / 20000)) {
    const value = (await store.get(keyOf(index)))?.toString();
    const expected = versions[index] === 255 ? undefined : valueOf(index, versions[index]);
    if (value !== expected) throw new Error('record ' + index + ' is ' + value);
    checked += 1;
  }
  done('get', checked);
  const live = versions.reduce((sum, version) => sum + (version === 255 ? 0 : 1), 0);
  const { tables, tableEntries, tableBytes } = store.stats();
  await store.close();
  console.log(JSON.stringify({ ok: report.ok, entries: report.entries, found, live, tables, tableEntries, tableBytes, steps }));
`;

interface Outcome {
  readonly ok: boolean;
  readonly entries: number;
  readonly found: number;
  readonly live: number;
  readonly tables: number;
  readonly tableEntries: number;
  readonly tableBytes: number;
  readonly steps: readonly { step: string; seconds: number; perSecond: number; peakMiB: number }[];
}

describe('a store larger than its memory', () => {
  it(
    `holds ${records} records within its budget`,
    async () => {
      await inFolder(async (folder) => {
        const args = ['--input-type=module', '-e', script, folder, String(records), JSON.stringify(budget)];
        const cwd = new URL('..', import.meta.url);
        const { stdout } = await promisify(execFile)(process.execPath, args, { cwd });
        const { steps, ...outcome } = JSON.parse(stdout) as Outcome;
        const table = steps.map(({ step, seconds, perSecond, peakMiB }) => {
          return `${step.padEnd(8)} ${seconds} s, ${perSecond} a second, peak ${peakMiB} MiB`;
        });
        console.log(`${outcome.tableBytes} bytes\n${table.join('\n')}\nbudget ${budgetBytes / mebibyte} MiB`);
        expect(outcome).toMatchObject({ ok: true, tables: 1 });
        expect(outcome.entries).toBe(outcome.live);
        expect(outcome.found).toBe(outcome.live);
        expect(Math.max(...steps.map(({ peakMiB }) => peakMiB)) * mebibyte).toBeLessThan(budgetBytes);
      });
    },
    timeout,
  );
});
