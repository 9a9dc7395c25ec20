/** Waits for a condition by polling, since no event announces it. */
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 100;

/** Resolves with the first value that `condition` returns. @throws its error, or the signal's reason. */
export async function waitUntil<T>(condition: () => T | undefined | false, signal: AbortSignal): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const outcome = condition();
    if (outcome !== undefined && outcome !== false) return outcome;
    await sleep(pollMs);
  }
}

/** Sleeps, unless the signal aborts first. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted());
}
