/**
 * Limits a disk to a number of reads per second, like a network volume of a cloud. The block layer throttles the
 * processes of one cgroup (`blkio` on v1, `io` on v2).
 *
 * Whether remote memory helps depends on the local disk, and a disk of the host is much faster than the volume of most
 * virtual machines. So the demo measures both.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MachineJournal } from '@exopool/native';
import { ExopoolError, toExopoolError } from '@exopool/shared';

/** Reads per second that AWS gp3 gives without surcharge; other clouds are near it. */
export const volumeReadsPerSecond = 3000;

export interface DiskLimit {
  readonly cgroup: string;
  readonly version: 1 | 2;
  /** MAJOR:MINOR of the whole disk. */
  readonly device: string;
}

/**
 * Creates a cgroup, without a limit yet, for the disk that contains `path`.
 * @throws ExopoolError `EXOPOOL_PERMISSION` without root, `EXOPOOL_UNSUPPORTED` if the kernel cannot throttle.
 */
export function createDiskLimit(journal: MachineJournal, path: string): DiskLimit {
  const device = wholeDisk(path);
  const { root, version } = findHierarchy();
  const cgroup = join(root, `exopool-disk-${process.pid}`);
  try {
    if (version === 2) enableController(journal, root);
    journal.record({ kind: 'cgroup', path: cgroup });
    mkdirSync(cgroup);
  } catch (error) {
    throw toExopoolError(error, `cannot make the cgroup ${cgroup}`);
  }
  return { cgroup, version, device };
}

/** Moves a process with all of its threads under the limit. */
export function joinDiskLimit({ cgroup }: DiskLimit, pid: number): void {
  writeFileSync(join(cgroup, 'cgroup.procs'), String(pid));
}

/** @param readsPerSecond `undefined` lifts the limit. */
export function setDiskLimit(
  { cgroup, version, device }: DiskLimit,
  readsPerSecond: number | undefined,
): void {
  if (version === 1)
    writeFileSync(join(cgroup, 'blkio.throttle.read_iops_device'), `${device} ${readsPerSecond ?? 0}`);
  else writeFileSync(join(cgroup, 'io.max'), `${device} riops=${readsPerSecond ?? 'max'}`);
}

function findHierarchy(): { root: string; version: 1 | 2 } {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const v1 = mounts.find(([, , type, options]) => type === 'cgroup' && options?.split(',').includes('blkio'));
  if (v1?.[1] !== undefined && existsSync(join(v1[1], 'blkio.throttle.read_iops_device')))
    return { root: v1[1], version: 1 };
  const v2 = mounts.find(
    ([, path = '', type]) => type === 'cgroup2' && words(join(path, 'cgroup.controllers')).includes('io'),
  );
  if (v2?.[1] !== undefined) return { root: v2[1], version: 2 };
  throw new ExopoolError(
    'EXOPOOL_UNSUPPORTED',
    'no cgroup here can limit a disk: the blkio or io controller is missing',
  );
}

function enableController(journal: MachineJournal, root: string): void {
  const path = join(root, 'cgroup.subtree_control');
  if (words(path).includes('io')) return;
  journal.record({ kind: 'file', path, old: '-io' });
  writeFileSync(path, '+io');
}

function words(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(/\s+/) : [];
}

/** Throttling applies to whole disks, not to partitions. */
function wholeDisk(path: string): string {
  const { dev } = statSync(path, { bigint: true });
  const link = `/sys/dev/block/${major(dev)}:${minor(dev)}`;
  if (!existsSync(link)) {
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      `${path} lies on no disk of its own (a layered or memory file system)`,
    );
  }
  const folder = realpathSync(link);
  const disk = existsSync(join(folder, 'partition')) ? dirname(folder) : folder;
  return readFileSync(join(disk, 'dev'), 'utf8').trim();
}

/** The C library's encoding of a device number. */
function major(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
}

function minor(device: bigint): bigint {
  return (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
}
