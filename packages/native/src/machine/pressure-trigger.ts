/** Word from the kernel, at once, when tasks wait for memory: a pressure stall trigger. */
import { loadBinding } from '../load-binding.js';

export interface PressureTriggerOptions {
  /** The machine's, or a v2 cgroup's `memory.pressure`. */
  readonly file?: string;
  /** So much waiting … */
  readonly stallMs: number;
  /** … within so long; 500 to 10,000. */
  readonly windowMs: number;
}

export interface PressureTrigger {
  close(): void;
}

interface NativePressureTrigger {
  open(file: string, trigger: string, onPressure: () => void): number;
  close(): void;
}

interface PressureBinding {
  readonly PressureTrigger: new () => NativePressureTrigger;
}

/** Without CAP_SYS_RESOURCE the kernel takes multiples of this only, and is as late (Linux 6.5). */
const unprivilegedWindowMs = 2000;

/**
 * Calls `onPressure`, at most once a window, when at least one task had to wait for memory. Keeps no process alive.
 * @returns `undefined` where the kernel has no triggers, or not for us.
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
