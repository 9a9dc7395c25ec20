/**
 * The life of a long-running command: it says that it is ready, runs until a signal stops it, and closes cleanly.
 *
 * A command that another exopool process started (with an IPC channel) also reports over that channel. It stops when the
 * channel closes, so no child outlives its parent.
 */
import type { ServeMessage } from '@exopool/demo';
import { ExopoolError } from '@exopool/shared';
import { aborted, withShutdown } from './shutdown.js';

export interface Served {
  /** Resolves with the error when it fails later. */
  readonly failed?: Promise<ExopoolError>;
  close(): Promise<void>;
}

export interface ServeReport<R> {
  /** A line to print when it is ready. */
  ready(running: R): string;
  /** Facts that a parent process needs, such as the port. */
  facts(running: R): Record<string, unknown>;
  /** Figures that are sent to a parent process every second. */
  figures?(running: R): unknown;
}

const figuresIntervalMs = 1000;

export async function serve<R extends Served>(
  start: () => Promise<R>,
  report: ServeReport<R>,
): Promise<void> {
  await withShutdown(async (signal) => {
    const parentGone = new AbortController();
    process.once('disconnect', () => parentGone.abort());
    const running = await start();
    const timer = setInterval(() => {
      if (report.figures) tellParent({ type: 'figures', figures: report.figures(running) });
    }, figuresIntervalMs);
    try {
      process.stdout.write(`${report.ready(running)}\n`);
      tellParent({ type: 'ready', facts: report.facts(running) });
      const failure = await Promise.race([
        aborted(AbortSignal.any([signal, parentGone.signal])),
        ...(running.failed === undefined ? [] : [running.failed]),
      ]);
      if (failure !== undefined) throw failure;
      // A signal to stop is no failure, but lost output is one.
      const reason: unknown = signal.reason;
      if (reason instanceof ExopoolError && reason.code !== 'EXOPOOL_ABORTED') throw reason;
    } finally {
      clearInterval(timer);
      await running.close();
    }
  });
  // An open channel would keep this process alive.
  if (process.connected) process.disconnect();
}

function tellParent(message: ServeMessage): void {
  // A parent that just died is no error: the channel is about to close.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
