/**
 * Which process: a pid alone is reused after a while, a pid with its start time is not, within one boot.
 */
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which it started. */
  readonly startTicks: number;
  /** Of the kernel that it ran under. */
  readonly bootId: string;
}

/** The identity of a process that runs now; `undefined` when there is none with this pid. */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined ? undefined : { pid, startTicks, bootId: bootId() };
}

/** True as long as this very process runs; a zombie does not. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identity.bootId === bootId() && startTicksOf(identity.pid) === identity.startTicks;
}

/** Memory that a process has mapped and in memory, in bytes; 0 when there is none with this pid. */
export function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Fields of /proc/PID/stat after the name, which stands in parentheses and may itself have some. */
const stateField = 0;
const startTicksField = 19;

function startTicksOf(pid: number): number | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[stateField] === 'Z' || fields[stateField] === 'X'
    ? undefined
    : Number(fields[startTicksField]);
}
