/** The changes that are made to a machine, and how each is undone. Undoing looks first: twice is the same as once. */
import { existsSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExopoolError } from '@exopool/shared';
import { removeDamon } from './damon-removal.js';
import { removeLoopDevice } from './loop-device.js';
import { releasePin } from './release-pin.js';
import { removeSwapFile } from './swap-file.js';
import { isOurZram, listZram, removeZram, swapOff, zramPath } from './swap.js';
import { removeZramDisk } from './zram-disk.js';

export type Change =
  /** A table file is about to be made immutable, with a mark that it was us. */
  | { readonly kind: 'pin'; readonly path: string }
  /** A cgroup was made; everything still in it belongs to us. */
  | { readonly kind: 'cgroup'; readonly path: string }
  /** A file of /proc or /sys was written; `old` is what it said before. */
  | { readonly kind: 'file'; readonly path: string; readonly old: string }
  /** A zram device is about to be added to those that exist, in Unix time; the kernel chooses its number. */
  | { readonly kind: 'zram-add'; readonly existing: readonly number[]; readonly atMs: number }
  /** A zram device that we added is about to be given a size and a swap area with this UUID. */
  | { readonly kind: 'zram'; readonly id: number; readonly uuid: string }
  /** A zram device that we added is about to be given a size and a file system with this UUID, and mounted. */
  | { readonly kind: 'zram-disk'; readonly id: number; readonly uuid: string }
  /** A file is about to be made, and a loop device of it. */
  | { readonly kind: 'loop'; readonly file: string }
  /** A file is about to be made, and swapped to. */
  | { readonly kind: 'swap-file'; readonly path: string }
  /** DAMON is about to be given a kdamond with this mark; there was none before. */
  | { readonly kind: 'damon'; readonly kdamonds: string; readonly mark: number }
  /** The kernel is about to swap to it. */
  | { readonly kind: 'swap'; readonly id: number; readonly uuid: string };

/** Cgroups of ours start with this; no other is ever removed, and no process elsewhere killed. */
export const cgroupPrefix = 'exopool-';

/** Killed processes give their memory back, and a cgroup can go, within this time even when they hold gigabytes. */
const emptyTimeoutMs = 20_000;
const emptyPollMs = 10;

/** Between the record of `zram-add` and the device, a process writes one file. */
const zramAddMaxMs = 10_000;

/** A device that has been added is named by the next record; who looks for another finds somebody else's. */
export function isUndoneByNext(change: Change, next: Change | undefined): boolean {
  return change.kind === 'zram-add' && (next?.kind === 'zram' || next?.kind === 'zram-disk');
}

/** @throws ExopoolError or an error of the operating system when it cannot be undone now. */
export async function undoChange(change: Change): Promise<void> {
  switch (change.kind) {
    case 'pin':
      releasePin(change.path);
      return;
    case 'cgroup':
      await removeCgroup(change.path);
      return;
    case 'file':
      restoreFile(change.path, change.old);
      return;
    case 'damon':
      await removeDamon(change.kdamonds, change.mark);
      return;
    case 'loop':
      await removeLoopDevice(change.file);
      return;
    case 'zram-add':
      removeUnusedZram(change.existing, change.atMs);
      return;
    case 'zram':
      if (isOurZram(change.id, change.uuid)) removeZram(change.id);
      return;
    case 'zram-disk':
      await removeZramDisk(change.id, change.uuid);
      return;
    case 'swap-file':
      await removeSwapFile(change.path);
      return;
    case 'swap':
      if (isOurZram(change.id, change.uuid)) await swapOff(zramPath(change.id));
  }
}

async function removeCgroup(path: string): Promise<void> {
  if (!basename(path).startsWith(cgroupPrefix)) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `${path} is not a cgroup of ours: its name starts with ${cgroupPrefix}`,
    );
  }
  const deadlineMs = Date.now() + emptyTimeoutMs;
  while (existsSync(path)) {
    for (const pid of cgroupProcesses(path)) killIfThere(pid);
    try {
      rmdirSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || Date.now() > deadlineMs) throw error;
      await sleep(emptyPollMs);
    }
  }
}

/** Pids in a cgroup; none when it is gone. */
export function cgroupProcesses(path: string): number[] {
  try {
    return readFileSync(`${path}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function killIfThere(pid: number): void {
  try {
    // Pid 0 stands for a process of another namespace, and would be our own group.
    if (pid > 0) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function restoreFile(path: string, old: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8').trim() === old) return;
  writeFileSync(path, old);
}

/** The process was killed before it could write down the number: ours was added then, and has no size yet. */
function removeUnusedZram(existing: readonly number[], atMs: number): void {
  for (const { id, diskBytes } of listZram()) {
    if (existing.includes(id) || diskBytes > 0) continue;
    const node = statSync(zramPath(id), { throwIfNoEntry: false });
    if (node !== undefined && node.birthtimeMs <= atMs + zramAddMaxMs) removeZram(id);
  }
}
