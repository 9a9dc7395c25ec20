/** A file system on a zram device: a disk that answers in a microsecond, for measurements. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import type { ChangeRecorder } from './machine-change.js';
import { listZram, removeZram, zramControl, zramPath } from './swap.js';

const run = promisify(execFile);
/** Offset of the UUID in ext4's superblock. */
const uuidOffset = 1024 + 0x68;
const uuidBytes = 16;

/**
 * Adds a zram device of `sizeBytes`, and mounts an ext4 file system on it. The journal unmounts and removes it.
 * @param mountPoint an existing folder.
 * @throws ExopoolError `EXOPOOL_PERMISSION` without root, `EXOPOOL_UNSUPPORTED` without zram or mkfs.ext4.
 */
export async function addZramDisk(
  journal: ChangeRecorder,
  sizeBytes: number,
  mountPoint: string,
): Promise<void> {
  if (!existsSync(`${zramControl}/hot_add`))
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', 'the kernel has no zram; run `modprobe zram`');
  const uuid = randomUUID();
  try {
    const existing = listZram().map((device) => device.id);
    journal.record({ kind: 'zram-add', existing, atMs: Date.now() });
    const id = Number(readFileSync(`${zramControl}/hot_add`, 'utf8'));
    journal.record({ kind: 'zram-disk', id, uuid });
    writeFileSync(`/sys/block/zram${id}/disksize`, String(sizeBytes));
    const path = zramPath(id);
    await run('mkfs.ext4', ['-q', '-U', uuid, '-E', 'lazy_itable_init=0,lazy_journal_init=0', path]);
    await run('mount', ['-o', 'noatime', path, mountPoint]);
  } catch (error) {
    throw toExopoolError(error, 'cannot make a zram disk');
  }
}

/** Unmounts and removes a device that has this UUID, or nothing on it yet. Leaves any other alone. */
export async function removeZramDisk(id: number, uuid: string): Promise<void> {
  const device = listZram().find((candidate) => candidate.id === id);
  if (device === undefined || (device.diskBytes > 0 && uuidOf(id) !== uuid)) return;
  const isMounted = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .some((line) => line.startsWith(`${zramPath(id)} `));
  if (isMounted) await run('umount', [zramPath(id)]);
  removeZram(id);
}

function uuidOf(id: number): string {
  const bytes = Buffer.alloc(uuidBytes);
  const device = openSync(zramPath(id), 'r');
  try {
    readSync(device, bytes, 0, uuidBytes, uuidOffset);
  } finally {
    closeSync(device);
  }
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
