/** The block device that a path's data is on. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { toExopoolError } from '@exopool/shared';

export interface BlockDevice {
  /** Of the whole device, as in `/sys/block`: `nvme0n1` for a file on `nvme0n1p2`. */
  readonly name: string;
  /** `major:minor` of what is mounted or was named, a partition's too. */
  readonly number: string;
  /** The path is the device itself. */
  readonly isItself: boolean;
}

/**
 * Undefined where there is none of its own: a file system in memory, on several devices, or over another one.
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

/** As glibc's `gnu_dev_major` and `gnu_dev_minor` take it apart, up to 2^32. */
function deviceNumber(number: number): string {
  const major = (number >>> 8) & 0xfff;
  const minor = (number & 0xff) | ((number >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}
