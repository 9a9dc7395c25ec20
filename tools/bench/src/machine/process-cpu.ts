/** CPU time of another process, with all of its threads. */
import { readFileSync } from 'node:fs';

/** The unit of /proc: the kernel's USER_HZ, 100 on every architecture that Node.js runs on. */
const ticksPerSecond = 100;

/**
 * @returns seconds in user and kernel mode, to a hundredth: enough for a busy process.
 * @throws an error of the operating system if the process has ended.
 */
export function processCpuSeconds(pid: number): number {
  return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

export function parseCpuSeconds(stat: string): number {
  // The name in brackets may contain spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
