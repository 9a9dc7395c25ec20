/**
 * The life of a long-running command: says that it is ready, runs until it is told to stop, closes cleanly.
 *
 * Started by another process of exopool (with an IPC channel) it also reports over that channel, and takes the end
 * of the channel as the order to stop: so no child outlives its parent, however that ended.
 */
import type { ServeMessage } from '@exopool/demo';
import { ExopoolError } from '@exopool/shared';
import { aborted, withShutdown } from './shutdown.js';

export interface Served {
  /** Resolves when it cannot go on, with why. */
  readonly failed?: Promise<ExopoolError>;
  close(): Promise<void>;
}

export interface ServeReport<R> {
  /** One line for people, printed when it runs. */
  ready(running: R): string;
  /** Facts that a parent process needs to go on, such as the port. */
  facts(running: R): Record<string, unknown>;
  /** Figures, sent to a parent process every second. */
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
      // To be told to stop is a good end, to lose the output is none.
      const reason: unknown = signal.reason;
      if (reason instanceof ExopoolError && reason.code !== 'EXOPOOL_ABORTED') throw reason;
    } finally {
      clearInterval(timer);
      await running.close();
    }
  });
  // An open channel would keep the process alive.
  if (process.connected) process.disconnect();
}

function tellParent(message: ServeMessage): void {
  // A parent that is just gone is no error: the end of the channel is on its way.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
