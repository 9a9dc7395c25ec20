/** The result of native calls on the pages of a process: a number, or minus an errno. */
import { ExopoolError } from '@exopool/shared';

/** The process ended, or it is a kernel thread, which has no memory of its own. */
const goneErrnos = new Set([2, 3]);
const permissionErrnos = new Set([1, 13]);
/** Linux before 5.10. */
const noSuchCallErrno = 38;

/**
 * Returns the number; `undefined` when the process is gone.
 * @throws ExopoolError `EXOPOOL_PERMISSION`, `EXOPOOL_UNSUPPORTED` or `EXOPOOL_IO`.
 */
export function pageCallResult(pid: number, result: number): number | undefined {
  if (result >= 0) return result;
  if (goneErrnos.has(-result)) return undefined;
  if (permissionErrnos.has(-result))
    throw new ExopoolError(
      'EXOPOOL_PERMISSION',
      `cannot look at the pages of process ${pid}: run as root, or as its user`,
    );
  if (-result === noSuchCallErrno)
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      'cannot move pages of other processes: boot Linux 5.10 or later',
    );
  throw new ExopoolError('EXOPOOL_IO', `cannot look at the pages of process ${pid}: error ${-result}`);
}
