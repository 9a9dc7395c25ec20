/** Ranges of a real process, pushed out to zram. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { skipWithout } from '@exopool/house';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MachineJournal } from './journal.js';
import { whyNoZram } from '../testing/machine.js';
import { pageOut, residentRanges } from './page-out.js';
import { privateAreas } from './private-areas.js';
import { residentBytes } from './process.js';
import { addZramSwap } from './swap.js';

const MiB = 1024 * 1024;
let folder: string;
let journal: MachineJournal;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-page-out-'));
  journal = MachineJournal.open(join(folder, 'state'));
});
afterEach(async () => {
  if (child?.kill('SIGKILL') === true) await once(child, 'exit');
  child = undefined;
  await journal.undoAll();
  rmSync(folder, { recursive: true, force: true });
});

/** A process that has touched the first 32 of 48 MiB; it ends when it is told to go, and its exit status is their sum. */
async function fill(): Promise<ChildProcess> {
  const script = `const b = Buffer.allocUnsafeSlow(${48 * MiB}); b.fill(1, 0, ${32 * MiB});
    process.stdin.on('data', () => {
      let sum = 0; for (let i = 0; i < ${32 * MiB}; i += 4096) sum += b[i];
      process.exit(sum / 64 - 100); });
    console.log('full')`;
  const started = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(createInterface(started.stdout), 'line');
  return started;
}

it('pushes out as much of a range as is asked for, and skips what is not there', async (context) => {
  skipWithout(context, 'zram', whyNoZram());
  await addZramSwap(journal, 256 * MiB);
  child = await fill();
  const pid = child.pid!;
  const areas = await residentRanges(pid, privateAreas(pid));
  const largest = areas.filter(({ bytes }) => bytes >= 32 * MiB).at(0)!;
  expect(largest.end - largest.start).toBeGreaterThanOrEqual(48 * MiB);
  expect(largest.bytes).toBeLessThan(largest.end - largest.start);
  const before = residentBytes(pid);

  const gap = { start: 4096, end: 4096 + MiB, bytes: MiB };
  expect(await pageOut(pid, [gap, { ...largest, bytes: 8 * MiB + 1 }])).toBe(8 * MiB);
  const [, left] = await residentRanges(pid, [gap, largest]);
  expect(largest.bytes - left!.bytes).toBeGreaterThan(7 * MiB);
  expect(before - residentBytes(pid)).toBeGreaterThan(7 * MiB);
  // What is out already does not count: these are others.
  expect(await pageOut(pid, [{ ...largest, bytes: 8 * MiB }])).toBe(8 * MiB);
  expect(await pageOut(pid, [])).toBe(0);

  child.stdin!.write('go\n');
  const [status] = (await once(child, 'exit')) as [number];
  expect(status).toBe(28);
  expect(await pageOut(pid, [largest])).toBe(0);
  expect(await residentRanges(pid, [largest])).toEqual([{ ...largest, bytes: 0 }]);
});
