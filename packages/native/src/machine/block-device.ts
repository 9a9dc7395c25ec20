/** Finds the block device that holds a path's data. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { toExopoolError } from '@exopool/shared';

/** A block device, as a path leads to it. */
export interface BlockDevice {
  /** The whole device, as in `/sys/block`: `nvme0n1` for a file on `nvme0n1p2`. */
  readonly name: string;
  /** `major:minor` of the device or partition that is mounted, or that the path names. */
  readonly number: string;
  /** The path is the device itself. */
  readonly isItself: boolean;
}

/**
 * Returns undefined where a path has no device of its own: its file system is in memory, on several devices, or on top
 * of another one.
 * @throws `EXOPOOL_NOT_FOUND`, `EXOPOOL_PERMISSION`
 */
export function blockDeviceOf(path: string): BlockDevice | undefined {
  try {
    const status = statSync(path);
    const isItself = status.isBlockDevice();
    const number = deviceNumber(isItself ? status.rdev : status.dev);
    const link = join('/sys/dev/block', number);
    if (!existsSync(link)) return undefined;
    const folder = realpathSync(link);
    const isPartition = existsSync(join(folder, 'partition'));
    return { name: basename(isPartition ? dirname(folder) : folder), number, isItself };
  } catch (error) {
    throw toExopoolError(error, `cannot look at ${path}`);
  }
}

/** Splits a number as glibc's `gnu_dev_major` and `gnu_dev_minor` do, up to 2^32. */
function deviceNumber(number: number): string {
  const major = (number >>> 8) & 0xfff;
  const minor = (number & 0xff) | ((number >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}
