/** Tells our cgroups from others, and removes one with all processes in it, also after its owner was killed. */
import { existsSync, readFileSync, rmdirSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExopoolError } from '@exopool/shared';

/** Names of our cgroups begin with this. No other cgroup is ever removed, and no process outside of ours killed. */
export const cgroupPrefix = 'exopool-';

/** Killed processes free their memory within this time even when they hold gigabytes; then the cgroup can go. */
const emptyTimeoutMs = 20_000;
const emptyPollMs = 10;

/** Kills the processes in the cgroup, and removes it. Does nothing when it is gone. */
export async function removeCgroup(path: string): Promise<void> {
  if (!basename(path).startsWith(cgroupPrefix)) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `${path} is not a cgroup of exopool, whose names begin with ${cgroupPrefix}; remove it by hand`,
    );
  }
  const deadlineMs = Date.now() + emptyTimeoutMs;
  while (existsSync(path)) {
    for (const pid of cgroupProcesses(path)) killIfThere(pid);
    try {
      rmdirSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || Date.now() > deadlineMs) throw error;
      await sleep(emptyPollMs);
    }
  }
}

/** Pids in a cgroup; an empty list when it is gone. */
export function cgroupProcesses(path: string): number[] {
  try {
    return readFileSync(`${path}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function killIfThere(pid: number): void {
  try {
    // Pid 0 stands for a process of another namespace. kill(0) would hit our own process group.
    if (pid > 0) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
