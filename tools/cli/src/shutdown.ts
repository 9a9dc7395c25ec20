/**
 * Ctrl-C and SIGTERM as an AbortSignal: the first asks for a clean end, a second one ends at once. A reader of our
 * output that went away (`| head`, or a parent that died) asks for the end too.
 */
import { ExopoolError } from '@exopool/shared';

/** 128 + SIGINT, as a shell reports it. */
const interruptedStatus = 130;

const running = new Set<AbortController>();

/** Runs `work` with a signal that aborts on SIGINT and SIGTERM. */
export async function withShutdown<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(interruptedStatus);
    controller.abort(new ExopoolError('EXOPOOL_ABORTED', `stopped by ${name}`));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  running.add(controller);
  try {
    return await work(controller.signal);
  } finally {
    running.delete(controller);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** Nobody reads our output any more: ends quietly, after cleaning up where there is something to clean up. */
export function endOnBrokenPipe(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (running.size === 0) process.exit(0);
    const reason = new ExopoolError('EXOPOOL_ABORTED', 'the reader of the output went away');
    for (const controller of running) controller.abort(reason);
  });
}

/** Resolves once `signal` aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
