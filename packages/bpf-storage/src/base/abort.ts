/** Stopping work at the caller's request. */
import { ExopoolError } from '@exopool/shared';

/** @throws ExopoolError the signal's reason if it is one, else `EXOPOOL_ABORTED` with the reason as its cause. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  if (signal.reason instanceof ExopoolError) throw signal.reason;
  throw new ExopoolError('EXOPOOL_ABORTED', 'stopped at the request of the caller', { cause: signal.reason });
}
