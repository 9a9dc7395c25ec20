/** Pages of a real process, pushed out to zram in two steps, and brought back newest first. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { skipWithout } from '@exopool/house';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryCgroup } from './cgroup.js';
import { MachineJournal } from './journal.js';
import { whyNoSwappedGroup } from '../testing/machine.js';
import { addZramSwap } from './swap.js';
import { SwappedPages } from './swapped-pages.js';

const MiB = 1024 * 1024;
let folder: string;
let journal: MachineJournal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-swapped-'));
  journal = MachineJournal.open(join(folder, 'state'));
});
afterEach(async () => {
  await journal.undoAll();
  rmSync(folder, { recursive: true, force: true });
});

/** A process in the cgroup that has touched 96 MiB; a line on its standard input makes it read the last 16 of them. */
async function fill(path: string): Promise<{ child: ChildProcess; readAgain: () => Promise<void> }> {
  const script = `require('fs').writeFileSync(process.argv[1] + '/cgroup.procs', String(process.pid));
    const b = Buffer.alloc(${96 * MiB}); for (let i = 0; i < b.length; i += 64) b[i] = i;
    process.stdin.on('data', () => {
      let sum = 0; for (let i = ${80 * MiB}; i < b.length; i += 64) sum += b[i];
      console.log(sum); });
    console.log('full')`;
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout);
  await once(lines, 'line');
  const readAgain = async (): Promise<void> => {
    const answer = once(lines, 'line');
    child.stdin.write('again\n');
    await answer;
  };
  return { child, readAgain };
}

it('brings back what went last', async (context) => {
  skipWithout(context, 'zram', whyNoSwappedGroup());
  await addZramSwap(journal, 512 * MiB);
  const group = MemoryCgroup.create(journal, `swapped-${process.pid}`);
  const { child, readAgain } = await fill(group.path);
  const pages = new SwappedPages();
  expect(await pages.observe([child.pid!])).toBeLessThan(MiB);

  const full = group.sample().usageBytes;
  await group.setLimit(journal, full - 32 * MiB);
  const first = await pages.observe([child.pid!]);
  expect(first).toBeGreaterThan(24 * MiB);
  await group.setLimit(journal, full - 64 * MiB);
  const second = await pages.observe([child.pid!]);
  expect(second).toBeGreaterThan(first + 24 * MiB);
  await group.setLimit(journal, undefined);

  const before = group.sample();
  const asked = await pages.prefetch(16 * MiB);
  expect(asked).toBe(16 * MiB);
  await expect.poll(() => group.sample().usageBytes - before.usageBytes).toBeGreaterThan(12 * MiB);
  // In memory again, and no longer counted as swapped; without one major fault of the process.
  expect(before.swappedBytes - group.sample().swappedBytes).toBeGreaterThan(12 * MiB);
  expect(group.sample().pageIns - before.pageIns).toBeLessThan(50);
  expect(await pages.prefetch(1024 * MiB)).toBeGreaterThan(40 * MiB);
  const { pageIns } = group.sample();
  await readAgain();
  expect(group.sample().pageIns - pageIns).toBeLessThan(50);

  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await pages.observe([child.pid!])).toBe(0);
  expect(await pages.prefetch(MiB)).toBe(0);
});
