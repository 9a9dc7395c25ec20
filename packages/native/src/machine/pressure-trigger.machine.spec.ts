/** A real pressure stall trigger: a process that wants more memory than its cgroup has waits, and we hear of it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryCgroup } from './cgroup.js';
import { MachineJournal } from './journal.js';
import { whyNoSwappedGroup } from '../testing/machine.js';
import { watchPressure, type PressureTrigger } from './pressure-trigger.js';
import { addZramSwap } from './swap.js';

const MiB = 1024 * 1024;
let folder: string;
let journal: MachineJournal;
let trigger: PressureTrigger | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-pressure-'));
  journal = MachineJournal.open(join(folder, 'state'));
});
afterEach(async () => {
  trigger?.close();
  trigger = undefined;
  await journal.undoAll();
  rmSync(folder, { recursive: true, force: true });
});

it('is undefined where there is none', () => {
  expect(
    watchPressure({ file: join(folder, 'none'), stallMs: 10, windowMs: 1000 }, () => undefined),
  ).toBeUndefined();
  // Not what a trigger may be: refused by the kernel.
  expect(watchPressure({ stallMs: 0, windowMs: 1 }, () => undefined)).toBeUndefined();
});

it('tells when somebody waits, and closes more than once', async (context) => {
  skipWithout(context, 'zram', whyNoSwappedGroup());
  await addZramSwap(journal, 512 * MiB);
  const group = MemoryCgroup.create(journal, `pressure-${process.pid}`);
  await group.setLimit(journal, 80 * MiB);
  let times = 0;
  const file = group.pressureFile === undefined ? {} : { file: group.pressureFile };
  trigger = watchPressure({ ...file, stallMs: 20, windowMs: 1000 }, () => (times += 1));
  if (trigger === undefined) skipWithout(context, 'psi', 'the kernel has no pressure triggers');
  // More than it may have, and all of it all the time.
  const script = `require('fs').writeFileSync(process.argv[1] + '/cgroup.procs', String(process.pid));
    const b = Buffer.alloc(${128 * MiB}); console.log('in');
    for (;;) for (let i = 0; i < b.length; i += 4096) b[i]++`;
  const child = spawn(process.execPath, ['-e', script, group.path], { stdio: 'ignore' });
  await expect.poll(() => times).toBeGreaterThan(0);
  child.kill('SIGKILL');
  trigger.close();
  trigger.close();
});
