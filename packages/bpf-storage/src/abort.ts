/** Stopping work at the caller's request. */
import { ExopoolError } from '@exopool/shared';

/** @throws ExopoolError `EXOPOOL_ABORTED` with the signal's reason as its cause. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new ExopoolError('EXOPOOL_ABORTED', 'stopped at the request of the caller', { cause: signal.reason });
}
