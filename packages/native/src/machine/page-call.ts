/** What native calls on the pages of a process resolve with: a number, or minus an errno. */
import { ExopoolError } from '@exopool/shared';

/** The process ended; or is a kernel thread, which has no memory of its own. */
const goneErrnos = new Set([2, 3]);
const permissionErrnos = new Set([1, 13]);
/** The kernel before 5.10. */
const noSuchCallErrno = 38;

/**
 * The number; `undefined` when the process is gone.
 * @throws ExopoolError `EXOPOOL_PERMISSION`, `EXOPOOL_UNSUPPORTED` or `EXOPOOL_IO`.
 */
export function pageCallResult(pid: number, result: number): number | undefined {
  if (result >= 0) return result;
  if (goneErrnos.has(-result)) return undefined;
  if (permissionErrnos.has(-result))
    throw new ExopoolError('EXOPOOL_PERMISSION', `looking at the pages of process ${pid} needs root`);
  if (-result === noSuchCallErrno)
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      'moving pages of other processes needs Linux 5.10 or later',
    );
  throw new ExopoolError('EXOPOOL_IO', `cannot look at the pages of process ${pid}: error ${-result}`);
}
