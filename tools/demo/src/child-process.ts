/** The other end of a {@link Child}: what the demo's own processes do in the same way. */
import type { ServeMessage } from './messages.js';

const figuresIntervalMs = 500;

export function tellParent(message: ServeMessage): void {
  // A parent that is just gone is no error: the end of the channel is on its way.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** Figures for the parent, twice a second: from when there are some until their source is closed. */
export interface Report {
  start(figures: () => unknown): void;
  stop(): void;
}

/**
 * Runs `work` with a signal that aborts when the parent says so or is gone, and ends the process after it.
 */
export async function runAsChild(
  work: (signal: AbortSignal, report: Report) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  process.once('disconnect', () => controller.abort());
  process.once('SIGTERM', () => controller.abort());
  let timer: NodeJS.Timeout | undefined;
  const report: Report = {
    start: (figures) => {
      timer = setInterval(() => tellParent({ type: 'figures', figures: figures() }), figuresIntervalMs);
    },
    stop: () => clearInterval(timer),
  };
  try {
    await work(controller.signal, report);
  } catch (error) {
    if (!controller.signal.aborted) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  } finally {
    report.stop();
    if (process.connected) process.disconnect();
  }
}
