/** The child's end of a {@link Child}: code that all of the demo's own processes share. */
import type { ServeMessage } from './messages.js';

const figuresIntervalMs = 500;

export function tellParent(message: ServeMessage): void {
  // If the parent has just ended, the send fails. The callback ignores that: `disconnect` follows.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** Sends figures to the parent twice a second, from `start` until `stop`. */
export interface Report {
  start(figures: () => unknown): void;
  stop(): void;
}

/**
 * Runs `work`, then ends the process. The signal aborts on SIGTERM or when the parent has ended.
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
