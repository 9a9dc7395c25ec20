/** Pressure stall triggers: the kernel tells at once when tasks wait for memory. */
import { loadBinding } from '../load-binding.js';

/** When the kernel shall tell. */
export interface PressureTriggerOptions {
  /** Default: the machine's. The `memory.pressure` of a v2 cgroup works too. */
  readonly file?: string;
  /** Tasks waited for so long in total … */
  readonly stallMs: number;
  /** … within a window of this length; 500 to 10,000. */
  readonly windowMs: number;
}

/** A trigger that is set. */
export interface PressureTrigger {
  /** Ends the calls. Idempotent. */
  close(): void;
}

interface NativePressureTrigger {
  open(file: string, trigger: string, onPressure: () => void): number;
  close(): void;
}

interface PressureBinding {
  readonly PressureTrigger: new () => NativePressureTrigger;
}

/** Without CAP_SYS_RESOURCE the kernel accepts only multiples of this window, since Linux 6.5. */
const unprivilegedWindowMs = 2000;

/**
 * Calls `onPressure` when at least one task waited for memory, at most once a window. It keeps no process alive.
 * @returns `undefined` where the kernel has no triggers, or refuses one to this user.
 */
export function watchPressure(
  { file = '/proc/pressure/memory', stallMs, windowMs }: PressureTriggerOptions,
  onPressure: () => void,
): PressureTrigger | undefined {
  const { PressureTrigger: Native } = loadBinding() as unknown as PressureBinding;
  for (const window of [windowMs, Math.ceil(windowMs / unprivilegedWindowMs) * unprivilegedWindowMs]) {
    const trigger = new Native();
    const text = `some ${Math.round(stallMs * 1000)} ${Math.round(window * 1000)}`;
    if (trigger.open(file, text, onPressure) === 0) return trigger;
  }
  return undefined;
}
