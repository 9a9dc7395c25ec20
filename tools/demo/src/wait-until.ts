/** Waiting on a condition that nothing announces. */
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 100;

/** Resolves once `condition` returns something, with that. @throws what `condition` throws, or the signal's reason. */
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
