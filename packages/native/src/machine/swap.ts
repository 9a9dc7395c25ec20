/**
 * Swap, and zram: a block device whose blocks are compressed memory.
 *
 * A page that is swapped to zram frees 4 KiB and takes its compressed size, often a third of that. The harvest adds a
 * device of its own, and removes it afterwards:
 *
 *   hot_add → number → disksize → mkswap (with a UUID that identifies it) → swapon
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { writeInIdleTime } from './idle-write.js';
import type { ChangeRecorder } from './machine-change.js';
import { addLoopDevice } from './loop-device.js';
import { setZramBacking } from './zram-writeback.js';

const run = promisify(execFile);

/** The folder in which devices are added and removed. */
export const zramControl = '/sys/class/zram-control';

/** The kernel uses our swap before any slower one. Its highest priority is 32767. */
const swapPriority = 100;

/** The swap header in the device's first page holds a UUID, and a mark at the page's end. */
const pageBytes = 4096;
const uuidOffset = 1036;
const uuidBytes = 16;
const swapMark = 'SWAPSPACE2';

/** A swap area in use. */
export interface SwapArea {
  readonly path: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly priority: number;
}

/** What a zram device holds. */
export interface ZramStats {
  /** Size of the stored pages before compression. */
  readonly originalBytes: number;
  /** Size of the stored pages after compression. */
  readonly compressedBytes: number;
  /** Memory that the device takes, with its overhead and the gaps that returned pages left. */
  readonly usedBytes: number;
}

/** A zram device that is used as swap. */
export interface ZramSwap {
  readonly id: number;
  readonly path: string;
  readonly sizeBytes: number;
}

/** Lists the swap areas in use. */
export function readSwapAreas(file = '/proc/swaps'): SwapArea[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(1).filter(Boolean);
  return lines.map((line) => {
    const [path = '', , size, used, priority] = line.split(/\s+/);
    return {
      path,
      sizeBytes: Number(size) * 1024,
      usedBytes: Number(used) * 1024,
      priority: Number(priority),
    };
  });
}

/** Lists zram devices, used or not. */
export function listZram(): { readonly id: number; readonly diskBytes: number }[] {
  return readdirSync('/sys/block')
    .filter((name) => /^zram\d+$/.test(name))
    .map((name) => ({
      id: Number(name.slice(4)),
      diskBytes: Number(readFileSync(`/sys/block/${name}/disksize`, 'utf8')),
    }));
}

/** Path of the device with this number. */
export function zramPath(id: number): string {
  return `/dev/zram${id}`;
}

/** Reads the counters of a device. */
export function readZramStats(id: number): ZramStats {
  const fields = readFileSync(`/sys/block/zram${id}/mm_stat`, 'utf8').trim().split(/\s+/).map(Number);
  return { originalBytes: fields[0] ?? 0, compressedBytes: fields[1] ?? 0, usedBytes: fields[2] ?? 0 };
}

/** Moves stored pages together, so that the gaps between them are freed. Runs in idle time. */
export function compactZram(id: number, sysfs = '/sys'): Promise<void> {
  return writeInIdleTime(`${sysfs}/block/zram${id}/compact`, '1');
}

/** A file for pages that are written back from zram. */
export interface ZramBackingFile {
  /** A path on a disk, where no file exists. The file is removed afterwards. */
  readonly file: string;
  readonly bytes: number;
}

/**
 * Adds a zram device, and uses it as swap.
 * @param sizeBytes of pages before compression.
 * @param backing where idle pages can be moved; the kernel must have writeback.
 * @throws ExopoolError `EXOPOOL_PERMISSION` without root, `EXOPOOL_UNSUPPORTED` without zram or mkswap.
 */
export async function addZramSwap(
  journal: ChangeRecorder,
  sizeBytes: number,
  backing?: ZramBackingFile,
): Promise<ZramSwap> {
  if (!existsSync(`${zramControl}/hot_add`)) {
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      'the kernel has no zram; run `modprobe zram`, or set up swap',
    );
  }
  const uuid = randomUUID();
  try {
    const backingDevice =
      backing === undefined ? undefined : await addLoopDevice(journal, backing.file, backing.bytes);
    const existing = listZram().map((device) => device.id);
    journal.record({ kind: 'zram-add', existing, atMs: Date.now() });
    const id = Number(readFileSync(`${zramControl}/hot_add`, 'utf8'));
    journal.record({ kind: 'zram', id, uuid });
    if (backingDevice !== undefined) setZramBacking(id, backingDevice);
    writeFileSync(`/sys/block/zram${id}/disksize`, String(sizeBytes));
    const path = zramPath(id);
    await run('mkswap', ['--uuid', uuid, path], toolOptions);
    journal.record({ kind: 'swap', id, uuid });
    await run('swapon', ['--priority', String(swapPriority), path], toolOptions);
    return { id, path, sizeBytes };
  } catch (error) {
    throw explainSwapError(error);
  }
}

/**
 * Ends the use of a swap area: every page in it comes back to memory, whoever owns it. Does nothing when it is not in
 * use.
 * @throws ExopoolError `EXOPOOL_IO` when the pages have no room in memory, or under the limit of their cgroup.
 */
export async function swapOff(path: string): Promise<void> {
  if (!readSwapAreas().some((area) => area.path === path)) return;
  try {
    await run('swapoff', [path], toolOptions);
  } catch (error) {
    if (!/Cannot allocate memory/.test(String((error as { stderr?: string }).stderr))) throw error;
    const remedy =
      'free some, or raise the limits of the cgroups that have pages there; the next start tries again, or run';
    const message = `there is no memory for the pages that are swapped to ${path}; ${remedy} \`swapoff ${path}\``;
    throw new ExopoolError('EXOPOOL_IO', message, { cause: error });
  }
}

/** Removes a device that is not in use; its content is lost. */
export function removeZram(id: number): void {
  writeFileSync(`/sys/block/zram${id}/reset`, '1');
  writeFileSync(`${zramControl}/hot_remove`, String(id));
}

/** Whether the device exists, and holds our swap area or nothing yet. */
export function isOurZram(id: number, uuid: string): boolean {
  const device = listZram().find((candidate) => candidate.id === id);
  if (device === undefined) return false;
  if (device.diskBytes === 0) return true;
  const page = Buffer.alloc(pageBytes);
  const fd = openSync(zramPath(id), 'r');
  try {
    readSync(fd, page, 0, pageBytes, 0);
  } finally {
    closeSync(fd);
  }
  if (page.every((byte) => byte === 0)) return true;
  return (
    page.toString('latin1', pageBytes - swapMark.length) === swapMark &&
    page.toString('hex', uuidOffset, uuidOffset + uuidBytes) === uuid.replaceAll('-', '')
  );
}

/** Options for tools of util-linux, which lie in folders that are not on every user's path. */
export const toolOptions = {
  env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
};

/** The typed error for a failure of a swap tool. */
export function explainSwapError(error: unknown): ExopoolError {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && syscall?.startsWith('spawn') === true) {
    const message = `${syscall.slice('spawn '.length)} is missing; install util-linux`;
    return new ExopoolError('EXOPOOL_UNSUPPORTED', message, { cause: error });
  }
  return toExopoolError(error, 'cannot set up swap (root is needed)');
}
