/** How each change to a machine is undone. It looks at the machine first, so undoing twice is the same as once. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { removeCgroup } from './cgroup-removal.js';
import { removeDamon } from './damon-removal.js';
import { removeLoopDevice } from './loop-device.js';
import type { Change } from './machine-change.js';
import { releasePin } from './release-pin.js';
import { removeSwapFile } from './swap-file.js';
import { isOurZram, listZram, removeZram, swapOff, zramPath } from './swap.js';
import { removeZramDisk } from './zram-disk.js';

/** Longest time from the record of `zram-add` until the device exists: between the two a process writes one file. */
const zramAddMaxMs = 10_000;

/** The next record names the device that was added. To look for one more would find somebody else's device. */
export function isUndoneByNext(change: Change, next: Change | undefined): boolean {
  return change.kind === 'zram-add' && (next?.kind === 'zram' || next?.kind === 'zram-disk');
}

/** Undoes one change. @throws ExopoolError or an error of the operating system when it cannot be undone now. */
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

function restoreFile(path: string, old: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8').trim() === old) return;
  writeFileSync(path, old);
}

/** The process was killed before it recorded the number. Our device was added at that time, and has no size yet. */
function removeUnusedZram(existing: readonly number[], atMs: number): void {
  for (const { id, diskBytes } of listZram()) {
    if (existing.includes(id) || diskBytes > 0) continue;
    const node = statSync(zramPath(id), { throwIfNoEntry: false });
    if (node !== undefined && node.birthtimeMs <= atMs + zramAddMaxMs) removeZram(id);
  }
}
