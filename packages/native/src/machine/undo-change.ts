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
