import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findMemoryHierarchy, MemoryCgroup } from './cgroup.js';
import { MachineJournal } from './journal.js';
import { whyNoSwappedGroup } from '../testing/machine.js';
import { addZramSwap, readSwapAreas, readZramStats } from './swap.js';

const MiB = 1024 * 1024;
let folder: string;
let journal: MachineJournal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-cgroup-'));
  journal = MachineJournal.open(join(folder, 'state'));
});
afterEach(async () => {
  await journal.undoAll();
  rmSync(folder, { recursive: true, force: true });
});

describe('findMemoryHierarchy', () => {
  it('prefers v1 where it has the memory controller, else v2', () => {
    const mounts = join(folder, 'mounts');
    const unified = join(folder, 'unified');
    mkdirSync(unified);
    writeFileSync(join(unified, 'cgroup.controllers'), 'cpu io memory\n');
    const v2 = `cgroup2 ${unified} cgroup2 rw 0 0`;
    writeFileSync(mounts, `${v2}\ncgroup /m cgroup rw,memory 0 0\ncgroup /c cgroup rw,cpu 0 0\n`);
    expect(findMemoryHierarchy(mounts)).toEqual({ version: 1, root: '/m' });
    writeFileSync(mounts, `${v2}\ncgroup /c cgroup rw,cpu 0 0\n`);
    expect(findMemoryHierarchy(mounts)).toEqual({ version: 2, root: unified });
    writeFileSync(join(unified, 'cgroup.controllers'), 'hugetlb\n');
    expect(() => findMemoryHierarchy(mounts)).toThrow(/no memory cgroups/);
  });
});

/** The kernel's files on v2, as an ordinary folder: what is read and written, not what the kernel does then. */
describe('MemoryCgroup on v2, in a folder that stands for the kernel', () => {
  it('hands the controller down, limits by memory.high, and restores', async () => {
    writeFileSync(join(folder, 'cgroup.subtree_control'), 'cpu\n');
    const path = join(folder, 'exopool-app');
    const files = { 'memory.high': 'max\n', 'memory.current': '4096000\n', 'memory.swap.current': '8192\n' };
    mkdirSync(path);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    writeFileSync(join(path, 'memory.stat'), 'anon 1\nswapcached 4096\npgmajfault 12\n');
    writeFileSync(join(path, 'memory.pressure'), 'some avg10=2.00 avg60=0 avg300=0 total=1\n');
    expect(() => MemoryCgroup.create(journal, 'app', { version: 2, root: folder })).toThrow(/EEXIST/);
    expect(readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8')).toBe('+memory');

    const group = MemoryCgroup.at(path);
    expect(group.version).toBe(2);
    expect(group.limitBytes()).toBeUndefined();
    expect(group.sample()).toMatchObject({
      usageBytes: 4_096_000,
      swappedBytes: 4096,
      pageIns: 12,
      isStalled: false,
      pressure: { someAvg10: 2 },
    });
    const own = MachineJournal.open(join(folder, 'own'));
    // Nothing was pushed out: nobody is held to less than what is used.
    expect(await group.setLimit(own, 1 * MiB)).toBe(4_096_000);
    expect(readFileSync(join(path, 'memory.high'), 'utf8')).toBe('4096000');
    expect(await group.setLimit(own, 5 * MiB, MiB)).toBe(5 * MiB);
    expect(readFileSync(join(path, 'memory.high'), 'utf8')).toBe(String(6 * MiB));
    expect(await group.setLimit(own, undefined)).toBeUndefined();
    await group.setLimit(own, 2 * MiB);
    await own.undoAll();
    expect(readFileSync(join(path, 'memory.high'), 'utf8')).toBe('max');
    rmSync(path, { recursive: true });
  });

  it('pushes out before it limits, where the kernel can', async () => {
    const path = join(folder, 'exopool-app');
    mkdirSync(path);
    const files = {
      'memory.high': 'max\n',
      'memory.current': '4096000\n',
      'memory.reclaim': '',
      'memory.pressure': '',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    writeFileSync(join(path, 'memory.stat'), 'anon 1\n');
    const group = MemoryCgroup.at(path);
    await group.setLimit(journal, 4_000_000);
    expect(readFileSync(join(path, 'memory.reclaim'), 'utf8')).toBe('96000');
    expect(readFileSync(join(path, 'memory.high'), 'utf8')).toBe('4096000');
    expect(group.pressureFile).toBe(join(path, 'memory.pressure'));
    expect(await group.setLimit(journal, 0, 500_000)).toBe(4_096_000);
    expect(readFileSync(join(path, 'memory.reclaim'), 'utf8')).toBe('4096000');
    expect(readFileSync(join(path, 'memory.high'), 'utf8')).toBe('4596000');
  });

  it('lifts a limit at once, and for good, while it is being lowered', async () => {
    const path = join(folder, 'exopool-app');
    mkdirSync(path);
    const files = { 'memory.high': 'max\n', 'memory.current': '4096000\n', 'memory.pressure': '' };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    const group = MemoryCgroup.at(path);
    const lowered = group.setLimit(journal, 1000);
    const again = group.setLimit(journal, 2000);
    const lifted = group.setLimit(journal, undefined);
    expect(await Promise.all([lowered, again, lifted])).toEqual([undefined, undefined, undefined]);
    expect(group.limitBytes()).toBeUndefined();
    await group.setLimit(journal, 3000);
    expect(group.limitBytes()).toBe(4_096_000);
    // The cgroup went away: said, and no obstacle to the next.
    rmSync(path, { recursive: true });
    await expect(group.setLimit(journal, 3000)).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
  });

  it('is found by the unit that runs in it', () => {
    const unitPath = join(folder, 'system.slice/app.service');
    mkdirSync(unitPath, { recursive: true });
    writeFileSync(join(unitPath, 'memory.high'), 'max\n');
    // Stands for systemd: answers for the one unit that it knows.
    const script = `#!/bin/sh
      case "$*" in
        *ControlGroup*app.service) echo /system.slice/app.service ;;
        *MainPID*) echo 0 ;;
      esac`;
    writeFileSync(join(folder, 'systemctl'), script, { mode: 0o755 });
    const searchPath = process.env['PATH'];
    process.env['PATH'] = `${folder}:${searchPath ?? ''}`;
    try {
      const hierarchy = { version: 2, root: folder } as const;
      expect(MemoryCgroup.ofUnit('app.service', hierarchy).path).toBe(unitPath);
      expect(() => MemoryCgroup.ofUnit('other.service', hierarchy)).toThrow(/does not run/);
      process.env['PATH'] = '/nowhere';
      expect(() => MemoryCgroup.ofUnit('app.service', hierarchy)).toThrow(/cannot ask systemd/);
    } finally {
      process.env['PATH'] = searchPath;
    }
  });

  it('refuses what is no cgroup', () => {
    expect(() => MemoryCgroup.at(folder)).toThrow(/not a memory cgroup/);
    expect(() => MemoryCgroup.ofProcess(2 ** 30, { version: 2, root: folder })).toThrow(/no process/);
  });
});

describe('MemoryCgroup on v1, for real', () => {
  it('pushes a process out to zram, and leaves nothing behind', async (context) => {
    skipWithout(context, 'zram', whyNoSwappedGroup());
    if (findMemoryHierarchy().version !== 1) skipWithout(context, 'cgroup-v1', 'the machine has cgroup v2');
    const swap = await addZramSwap(journal, 512 * MiB);
    const group = MemoryCgroup.create(journal, `test-${process.pid}`);
    const child = await fill(group.path, 96 * MiB);
    expect(MemoryCgroup.ofProcess(child.pid!).path).toBe(group.path);
    const before = group.sample();
    expect(before.usageBytes).toBeGreaterThan(90 * MiB);

    const limit = await group.setLimit(journal, before.usageBytes - 48 * MiB);
    const after = group.sample();
    expect(limit).toBe(group.limitBytes());
    expect(after.usageBytes).toBeLessThanOrEqual(limit!);
    expect(after.swappedBytes).toBeGreaterThan(32 * MiB);
    // Swap of the same priority, which the machine may have, takes its share.
    expect(readZramStats(swap.id).originalBytes).toBeGreaterThan(8 * MiB);
    // Less than the kernel can do: it gets as far as it gets, and says how far.
    expect(await group.setLimit(journal, 4096)).toBeGreaterThanOrEqual(4096);
    const reached = await group.setLimit(journal, after.usageBytes - 8 * MiB, 4 * MiB);
    expect(group.sample().usageBytes).toBeLessThanOrEqual(reached!);
    expect(group.limitBytes()).toBe(reached! + 4 * MiB);
    await group.setLimit(journal, undefined);
    expect(group.limitBytes()).toBeUndefined();

    await journal.undoAll();
    expect(existsSync(group.path)).toBe(false);
    expect(readSwapAreas().map(({ path }) => path)).not.toContain(swap.path);
    expect(existsSync(`/sys/block/zram${swap.id}`)).toBe(false);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
  });
});

/** A process in the cgroup that has touched `bytes` of memory. */
async function fill(path: string, bytes: number): Promise<ChildProcess> {
  const script = `require('fs').writeFileSync(process.argv[1] + '/cgroup.procs', String(process.pid));
    const b = Buffer.alloc(${bytes}); for (let i = 0; i < b.length; i += 64) b[i] = i;
    console.log('full'); setInterval(() => b[0]++, 1000)`;
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}
