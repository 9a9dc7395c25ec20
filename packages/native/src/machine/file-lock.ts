/** Exclusive locks on open files. */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';

interface FileLockBinding {
  tryLockFile(fd: number): number;
}

/**
 * Takes the exclusive lock (`flock`) of an open file, without waiting. The lock belongs to the open file: it ends when
 * `fd` is closed, and so whenever the process dies.
 *
 * @returns false when another open file has the lock, in this process or another
 * @throws `EXOPOOL_IO` when the descriptor is not open or the file system has no locks
 */
export function tryLockFile(fd: number): boolean {
  const errno = (loadBinding() as unknown as FileLockBinding).tryLockFile(fd);
  if (errno === constants.errno.EWOULDBLOCK) return false;
  if (errno === 0) return true;
  const name = getSystemErrorName(-errno);
  throw toExopoolError(Object.assign(new Error(name), { code: name }), `cannot lock file descriptor ${fd}`);
}
