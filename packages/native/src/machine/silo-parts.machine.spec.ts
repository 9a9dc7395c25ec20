/**
 * Compressed memory with a disk behind it: zram's writeback and zswap, in folders that stand for the kernel's (what is
 * read and written, not what the kernel does then), and the loop device for real.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MachineJournal, undoLeftovers } from './journal.js';
import { addLoopDevice } from './loop-device.js';
import { addSwapFile, removeSwapFile } from './swap-file.js';
import { compactZram, readSwapAreas } from './swap.js';
import {
  hasZramWriteback,
  readZramBacking,
  readZramReadBytes,
  setZramBacking,
  ZramWriteback,
} from './zram-writeback.js';
import { enableZswap, hasZswap, readZswapStats } from './zswap.js';

let folder: string;
let journal: MachineJournal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-silo-'));
  journal = MachineJournal.open(join(folder, 'state'));
});
afterEach(async () => {
  await journal.undoAll();
  rmSync(folder, { recursive: true, force: true });
});

function fakeZram(files: Record<string, string>): string {
  const sysfs = join(folder, 'sys');
  mkdirSync(join(sysfs, 'block/zram3'), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(sysfs, 'block/zram3', name), text);
  return sysfs;
}
const said = (sysfs: string, name: string): string => readFileSync(join(sysfs, 'block/zram3', name), 'utf8');

it('moves idle pages to the backing device, by their age', async () => {
  const sysfs = fakeZram({
    backing_dev: 'none\n',
    bd_stat: '10 3 12\n',
    stat: '5 0 80 0 0 0 0\n',
    idle: '',
    writeback: '',
  });
  expect(hasZramWriteback(sysfs)).toBe(true);
  expect(hasZramWriteback(join(folder, 'nothing'))).toBe(false);
  setZramBacking(3, '/dev/loop9', sysfs);
  expect(said(sysfs, 'backing_dev')).toBe('/dev/loop9');
  expect(await new ZramWriteback(3, 299.5, sysfs).turn(0)).toBe(true);
  expect([said(sysfs, 'idle'), said(sysfs, 'writeback')]).toEqual(['300', 'idle']);
  expect(readZramBacking(3, sysfs)).toEqual({ storedBytes: 40_960, readBytes: 12_288, writtenBytes: 49_152 });
  expect(readZramReadBytes(3, sysfs)).toBe(40_960);
});

it('compacts, in idle time', async () => {
  const sysfs = fakeZram({ compact: '' });
  await compactZram(3, sysfs);
  expect(said(sysfs, 'compact')).toBe('1');
  await expect(compactZram(4, sysfs)).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
});

it('says so when there is no backing device', () => {
  const sysfs = fakeZram({ disksize: '0\n' });
  expect(hasZramWriteback(sysfs)).toBe(false);
  expect(readZramBacking(3, sysfs)).toBeUndefined();
});

it('switches zswap on, and back to what it was', async () => {
  const sysfs = join(folder, 'sys');
  const parameters = join(sysfs, 'module/zswap/parameters');
  mkdirSync(parameters, { recursive: true });
  expect(hasZswap(sysfs)).toBe(false);
  const read = (): string[] =>
    ['enabled', 'max_pool_percent'].map((name) => readFileSync(join(parameters, name), 'utf8').trim());
  writeFileSync(join(parameters, 'enabled'), 'N\n');
  writeFileSync(join(parameters, 'max_pool_percent'), '20\n');
  expect(hasZswap(sysfs)).toBe(true);
  const own = MachineJournal.open(join(folder, 'own'));
  enableZswap(own, 30, sysfs);
  expect(read()).toEqual(['Y', '30']);
  // An older kernel has no shrinker: it is left alone, not made.
  expect(existsSync(join(parameters, 'shrinker_enabled'))).toBe(false);
  await own.undoAll();
  expect(read()).toEqual(['N', '20']);
});

it('reads what zswap did', () => {
  const procfs = join(folder, 'proc');
  mkdirSync(procfs);
  writeFileSync(join(procfs, 'meminfo'), 'Zswap:              100 kB\nZswapped:           300 kB\n');
  writeFileSync(join(procfs, 'vmstat'), 'pswpin 2\nzswpin 8\nzswpout 9\n');
  expect(readZswapStats(procfs)).toEqual({ originalBytes: 307_200, usedBytes: 102_400, hits: 8, misses: 2 });
});

it('makes a loop device of a file, and leaves neither', async (context) => {
  if (process.getuid?.() !== 0 || !existsSync('/dev/loop-control'))
    skipWithout(context, 'loop', 'needs root and loop devices');
  const own = MachineJournal.open(join(folder, 'own'));
  const file = join(folder, 'silo');
  const device = await addLoopDevice(own, file, 1 << 20);
  /** Devices come and go, also those of others. */
  const backing = (): string | undefined => {
    try {
      return readFileSync(`/sys/block/${device.slice(5)}/loop/backing_file`, 'utf8').trim();
    } catch {
      return undefined;
    }
  };
  expect(backing()).toBe(file);
  await own.undoAll();
  expect(existsSync(file)).toBe(false);
  expect(backing()).not.toBe(file);
  expect(await undoLeftovers(join(folder, 'own'))).toEqual([]);
});

it('swaps to a file, and leaves neither', async (context) => {
  if (process.getuid?.() !== 0) skipWithout(context, 'root', 'needs root');
  const own = MachineJournal.open(join(folder, 'own'));
  let file: string;
  try {
    file = await addSwapFile(own, folder, 1 << 20);
  } catch (error) {
    await own.undoAll();
    return skipWithout(context, 'swap-file', `not on this file system: ${(error as Error).message}`);
  }
  expect(readSwapAreas().map(({ path }) => path)).toContain(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await own.undoAll();
  expect(readSwapAreas().map(({ path }) => path)).not.toContain(file);
  expect(existsSync(file)).toBe(false);
});

it('removes no file that it did not make', async () => {
  const file = join(folder, 'swapfile');
  writeFileSync(file, 'of somebody');
  await expect(removeSwapFile(file)).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
  expect(existsSync(file)).toBe(true);
});
