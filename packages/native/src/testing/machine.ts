/** What tests that change the machine need of it, and why it is not there. */
import { existsSync } from 'node:fs';
import { findMemoryHierarchy } from '../machine/cgroup.js';

/** Why no zram device can be added; undefined when one can. */
export function whyNoZram(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  return existsSync('/sys/class/zram-control/hot_add') ? undefined : 'needs zram';
}

/** Why no memory cgroup can be made whose pages go to zram; undefined when one can. */
export function whyNoSwappedGroup(): string | undefined {
  const reason = whyNoZram();
  if (reason !== undefined) return reason;
  try {
    findMemoryHierarchy();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
