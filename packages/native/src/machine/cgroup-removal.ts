/** Which cgroups are ours, and how one is removed with everything in it, also after its process was killed. */
import { existsSync, readFileSync, rmdirSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExopoolError } from '@exopool/shared';

/** Cgroups of ours start with this; no other is ever removed, and no process elsewhere killed. */
export const cgroupPrefix = 'exopool-';

/** Killed processes give their memory back, and a cgroup can go, within this time even when they hold gigabytes. */
const emptyTimeoutMs = 20_000;
const emptyPollMs = 10;

export async function removeCgroup(path: string): Promise<void> {
  if (!basename(path).startsWith(cgroupPrefix)) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `${path} is not a cgroup of ours: its name starts with ${cgroupPrefix}`,
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

/** Pids in a cgroup; none when it is gone. */
export function cgroupProcesses(path: string): number[] {
  try {
    return readFileSync(`${path}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function killIfThere(pid: number): void {
  try {
    // Pid 0 stands for a process of another namespace, and would be our own group.
    if (pid > 0) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
