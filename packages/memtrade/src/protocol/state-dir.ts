/** Where a process keeps what must survive it, when no folder is given. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** @param part `broker`, `producer` or `consumer`. */
export function stateDirOf(part: string): string {
  return process.getuid?.() === 0
    ? `/var/lib/exopool/${part}`
    : join(homedir(), '.local/state/exopool', part);
}
