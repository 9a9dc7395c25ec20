/** CPU time of another process, with all of its threads. */
import { readFileSync } from 'node:fs';

/** The unit of /proc: the kernel's USER_HZ, 100 on every architecture that Node.js runs on. */
const ticksPerSecond = 100;

/**
 * @returns seconds, in user and kernel mode, in hundredths: enough for a process that is busy.
 * @throws an error of the operating system when it is gone.
 */
export function processCpuSeconds(pid: number): number {
  return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

export function parseCpuSeconds(stat: string): number {
  // The name, in brackets, may have spaces and brackets of its own.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
