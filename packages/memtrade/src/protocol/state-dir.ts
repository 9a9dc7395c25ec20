/** The folder in which a process keeps its state when no other folder is given. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export function stateDirOf(part: 'broker' | 'producer' | 'consumer'): string {
  return process.getuid?.() === 0
    ? `/var/lib/exopool/${part}`
    : join(homedir(), '.local/state/exopool', part);
}
