/**
 * What stays behind when a process is killed in the middle of changing the machine: nothing, once another has started.
 *
 * A child makes every kind of change and is killed by SIGKILL right before, or right after, its n-th record.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findMemoryHierarchy, MemoryCgroup } from './cgroup.js';
import { MachineJournal, parseJournal, undoLeftovers } from './journal.js';
import { undoChange } from './undo-change.js';
import type { Change } from './machine-change.js';
import { whyNoSwappedGroup } from '../testing/machine.js';
import { addZramSwap, listZram, readSwapAreas, removeZram, zramControl, zramPath } from './swap.js';

const built = new URL('../../dist/machine/', import.meta.url);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-leftovers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** zram-add, zram, swap, cgroup, limit and (on v1) oom_control: the records of the child below. */
const recordsMax = 6;

/** A size that no other zram device has: tests of other files may add theirs at the same time. */
const zramBytes = (64 << 20) + (process.pid % 4096) * 4096;

const childScript = (stateDir: string, moment: string, count: number, name: string): string => `
  const { MachineJournal } = await import(${JSON.stringify(new URL('journal.js', built).href)});
  const { addZramSwap } = await import(${JSON.stringify(new URL('swap.js', built).href)});
  const { MemoryCgroup } = await import(${JSON.stringify(new URL('cgroup.js', built).href)});
  const { spawn } = await import('node:child_process');
  const { once } = await import('node:events');
  const journal = MachineJournal.open(${JSON.stringify(stateDir)});
  const record = journal.record.bind(journal);
  let records = 0;
  const die = () => process.kill(process.pid, 'SIGKILL');
  journal.record = (change) => {
    records += 1;
    if (records === ${count} && '${moment}' === 'before') die();
    record(change);
    if (records === ${count} && '${moment}' === 'after') die();
  };
  await addZramSwap(journal, ${zramBytes});
  const group = MemoryCgroup.create(journal, '${name}');
  const sleeper = spawn('sh', ['-c', 'echo $$ > "$0/cgroup.procs" && echo in && exec sleep 60', group.path]);
  await once(sleeper.stdout, 'data');
  await group.setLimit(journal, 32 << 20);
  die();
`;

const unable = whyNoSwappedGroup();
const notBuilt = existsSync(new URL('journal.js', built)) ? undefined : 'not built';

describe('a process killed in the middle', () => {
  const moments = Array.from({ length: recordsMax }, (_, index) => index + 1).flatMap((count) => [
    { moment: 'before', count },
    { moment: 'after', count },
  ]);
  it.for([...moments, { moment: 'after everything', count: 0 }])(
    'leaves nothing behind: $moment record $count',
    async ({ moment, count }, context) => {
      skipWithout(context, 'zram', unable);
      skipWithout(context, 'build', notBuilt);
      const before = listZram().map(({ id }) => id);
      const name = `leftover-${process.pid}-${count}`;
      const script = childScript(folder, moment, count, name);
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      expect(signal).toBe('SIGKILL');

      await undoLeftovers(folder);
      const isLeft = (zram: { id: number; diskBytes: number }): boolean =>
        zram.diskBytes === zramBytes || (zram.diskBytes === 0 && !before.includes(zram.id));
      await expect.poll(() => listZram().filter(isLeft)).toEqual([]);
      expect(existsSync(join(findMemoryHierarchy().root, `exopool-${name}`))).toBe(false);
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});

describe('a zram device that somebody else adds, and has not sized yet', () => {
  /** Runs `work` while there is one. @returns whether it is there afterwards. */
  async function isLeftBy(work: (stranger: number) => Promise<unknown>): Promise<boolean> {
    const id = Number(readFileSync(`${zramControl}/hot_add`, 'utf8'));
    const isThere = (): boolean => listZram().some((device) => device.id === id);
    try {
      await work(id);
      return isThere();
    } finally {
      if (isThere()) removeZram(id);
    }
  }

  it('is not touched when ours is removed', async (context) => {
    skipWithout(context, 'zram', unable);
    const journal = MachineJournal.open(folder);
    try {
      await addZramSwap(journal, zramBytes);
      expect(await isLeftBy(() => journal.undoAll())).toBe(true);
    } finally {
      await journal.undoAll();
    }
  });

  it('is not taken for one that a killed process had no time to write down', async (context) => {
    skipWithout(context, 'zram', unable);
    const existing = listZram().map(({ id }) => id);
    const isLeft = (killedSecondsBefore: number): Promise<boolean> =>
      isLeftBy((id) => {
        const atMs = statSync(zramPath(id)).birthtimeMs - killedSecondsBefore * 1000;
        return undoChange({ kind: 'zram-add', existing, atMs });
      });
    expect(await isLeft(60)).toBe(true);
    expect(await isLeft(0)).toBe(false);
  });
});

describe('pages of others on our swap', () => {
  /** Newest first, without the one that stands for what the next says. */
  const swapChanges = (journal: string): Change[] =>
    parseJournal(readFileSync(journal, 'utf8')).changes.slice(1).reverse();

  it('stay there when their cgroup has no room for them, which is said; raised, its limit lets them back', async (context) => {
    skipWithout(context, 'zram', unable);
    // On v2 nothing keeps the kernel from killing them instead.
    if (findMemoryHierarchy().version !== 1) skipWithout(context, 'cgroup-v1', 'needs cgroup v1');
    const journal = MachineJournal.open(folder);
    const others = MachineJournal.open(folder);
    try {
      const { path } = await addZramSwap(journal, 512 << 20);
      const group = MemoryCgroup.create(others, `swapped-${process.pid}`);
      writeFileSync(join(group.path, 'memory.limit_in_bytes'), String(48 << 20));
      writeFileSync(join(group.path, 'memory.oom_control'), '1');
      const script = 'echo $$ > "$0/cgroup.procs" && exec "$1" -e "$2"';
      const fill = `const bytes = Buffer.alloc(${80 << 20}, 1); console.log(bytes.length); setTimeout(() => bytes, 1e9);`;
      const stranger = spawn('sh', ['-c', script, group.path, process.execPath, fill]);
      await once(stranger.stdout, 'data');
      await expect(journal.undoAll()).rejects.toMatchObject({
        code: 'EXOPOOL_IO',
        message: expect.stringMatching(/no memory .* raise the limits/) as string,
      });
      expect(readSwapAreas().map((area) => area.path)).toContain(path);
      writeFileSync(join(group.path, 'memory.limit_in_bytes'), '-1');
      for (const change of swapChanges(journal.path)) await undoChange(change);
      expect(existsSync(path)).toBe(false);
      expect(stranger.exitCode ?? stranger.signalCode).toBe(null);
    } finally {
      await others.undoAll();
      for (const change of swapChanges(journal.path)) await undoChange(change);
    }
  });
});
