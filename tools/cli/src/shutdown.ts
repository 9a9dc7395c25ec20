/**
 * Turns Ctrl-C, SIGTERM and SIGHUP into an AbortSignal. The first one asks for a clean end, the second one ends the
 * process at once. A failure to write output (`| head`, a dead parent, a full disk) asks for a clean end too.
 */
import { constants } from 'node:os';
import { ExopoolError, toExopoolError } from '@exopool/shared/errors';
import { reportError } from './report-error.js';

/** With SIGHUP: closing a terminal must not leave limits and swap behind. (Node.js overrides nohup.) */
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const running = new Set<AbortController>();

/** A signal stopped the command before it was done. */
class StoppedError extends ExopoolError {
  constructor(private readonly signal: NodeJS.Signals) {
    super('EXOPOOL_ABORTED', `stopped by ${signal}`);
  }

  override get exitStatus(): number {
    return statusOf(this.signal);
  }
}

/**
 * Runs `work` with a signal that aborts on SIGINT, SIGTERM and SIGHUP.
 * @throws the error of `work`; instead of `EXOPOOL_ABORTED`, the reason of the abort.
 */
export async function withShutdown<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const stop = (name: NodeJS.Signals): void => {
    if (signal.aborted) process.exit(statusOf(name));
    controller.abort(new StoppedError(name));
  };
  for (const name of stopSignals) process.on(name, stop);
  running.add(controller);
  try {
    return await work(signal);
  } catch (error) {
    throw signal.aborted && toExopoolError(error).code === 'EXOPOOL_ABORTED' ? signal.reason : error;
  } finally {
    running.delete(controller);
    for (const name of stopSignals) process.off(name, stop);
  }
}

/** Ends the program after its clean-up when output cannot be written; without an error when the reader closed it. */
export function endOnBrokenPipe(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    const failure =
      error.code === 'EPIPE'
        ? new ExopoolError('EXOPOOL_ABORTED', 'the reader of the output closed it')
        : toExopoolError(error, 'cannot write the output');
    for (const controller of running) controller.abort(failure);
    if (running.size > 0) return;
    if (error.code === 'EPIPE') process.exit(0);
    reportError(failure);
    process.exit(failure.exitStatus);
  });
}

/** Resolves once `signal` aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** The exit status that a shell reports: 130 for Ctrl-C. */
function statusOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
