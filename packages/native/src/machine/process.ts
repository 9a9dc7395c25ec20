/** Names one process: the kernel reuses a pid, but within one boot never a pid with the same start time. */
import { readFileSync } from 'node:fs';

/** A process that no later one is taken for. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which it started. */
  readonly startTicks: number;
  /** The boot that it ran in. */
  readonly bootId: string;
}

/** Names the process that has this pid now; `undefined` when there is none. */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined ? undefined : { pid, startTicks, bootId: bootId() };
}

/** True while this very process runs; false for a zombie. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identity.bootId === bootId() && startTicksOf(identity.pid) === identity.startTicks;
}

/** Resident memory of a process, bytes; 0 when there is none with this pid. */
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

/** Fields of /proc/PID/stat after the name. The name stands in parentheses and may contain some itself. */
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
