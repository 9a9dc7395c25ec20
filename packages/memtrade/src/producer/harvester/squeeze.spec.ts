/** On a folder that stands for a cgroup (v2): what is asked of the kernel, not what it does then. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MachineJournal, MemoryCgroup } from '@exopool/native';
import type { Aim } from './aim.js';
import { Squeeze } from './squeeze.js';

let folder: string;
let journal: MachineJournal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-squeeze-'));
  const files = {
    'memory.high': 'max\n',
    'memory.current': '4096000\n',
    'memory.stat': '',
    'cgroup.procs': '',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  journal = MachineJournal.open(join(folder, 'state'));
});
afterEach(async () => {
  await journal.undoAll();
  rmSync(folder, { recursive: true });
});
const limit = (): string => readFileSync(join(folder, 'memory.high'), 'utf8').trim();

function squeezeWith(aim?: Aim): Squeeze {
  return new Squeeze({ cgroup: MemoryCgroup.at(folder), journal, headroomBytes: 1000, aim });
}

/** Notes what it is asked to push out; something may happen meanwhile. */
function fakeAim(asked: number[], meanwhile: () => void = () => undefined): Aim {
  const push = (_pids: readonly number[], bytes: number): Promise<void> => {
    asked.push(bytes);
    meanwhile();
    return Promise.resolve();
  };
  return { push } as unknown as Aim;
}

it('says how far a new limit got, once, and pushes out again what came back', async () => {
  const reached: number[] = [];
  const squeeze = squeezeWith();
  const hold = async (limitBytes: number): Promise<void> => {
    squeeze.hold(limitBytes, 4_096_000, (bytes) => reached.push(bytes));
    expect(squeeze.isBusy).toBe(true);
    await squeeze.settled();
    expect(squeeze.isBusy).toBe(false);
  };
  // The folder's usage does not fall.
  await hold(4_000_000);
  expect([reached, limit()]).toEqual([[4_096_000], '4097000']);
  squeeze.hold(4_096_000, 4_096_000, (bytes) => reached.push(bytes));
  expect(squeeze.isBusy).toBe(false);
  writeFileSync(join(folder, 'memory.current'), '4200000\n');
  squeeze.hold(4_096_000, 4_200_000, (bytes) => reached.push(bytes));
  await squeeze.settled();
  expect([reached, limit()]).toEqual([[4_096_000], '4201000']);
});

it('lifts the limit whatever is under way', async () => {
  const reached: number[] = [];
  const squeeze = squeezeWith();
  squeeze.hold(1_000_000, 4_096_000, (bytes) => reached.push(bytes));
  squeeze.lift();
  await squeeze.settled();
  expect([reached, limit()]).toEqual([[], 'max']);
});

it('aims first, at what is above the limit, and learns where there is none', async () => {
  const asked: number[] = [];
  const squeeze = squeezeWith(fakeAim(asked));
  squeeze.hold(undefined, 4_096_000, () => undefined);
  await squeeze.settled();
  expect([asked, limit()]).toEqual([[0], 'max']);
  squeeze.hold(4_000_000, 4_096_000, () => undefined);
  // One at a time.
  squeeze.hold(3_000_000, 4_096_000, () => undefined);
  await squeeze.settled();
  expect([asked, limit()]).toEqual([[0, 96_000], '4097000']);
});

it('sets no limit after a drop that came while it aimed', async () => {
  const squeeze: Squeeze = squeezeWith(fakeAim([], () => squeeze.lift()));
  squeeze.hold(4_000_000, 4_096_000, () => undefined);
  await squeeze.settled();
  expect(limit()).toBe('max');
});
