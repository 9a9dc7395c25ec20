/**
 * Pushes a cgroup's memory out to swap until usage is at its target, a slice at a time and in idle time:
 *
 *   usage  ████████████████████          one slice: v2 memory.reclaim; else the limit goes below usage and up again
 *   target ███████████▏····                         at once, so that processes are at their limit for a moment only
 *   limit  ████████████████▏····         at the end: the usage that was reached, and the headroom
 */
import type { ExopoolError } from '@exopool/shared';
import { writeInIdleTime } from './idle-write.js';

export interface PushOutOptions {
  readonly targetBytes: number;
  readonly headroomBytes: number;
  readonly limitFile: string;
  /** Through this file the kernel pushes out a number of bytes and limits nobody (v2, Linux 5.19). */
  readonly reclaimFile: string | undefined;
  readonly usageBytes: () => number;
  /** Asked between slices; false ends the work. */
  readonly isWanted: () => boolean;
}

/** A few milliseconds of work: a caller that no longer wants it waits that long. */
const sliceBytes = 4 * 1024 * 1024;
/** Slices in a row without progress. */
const stuckSlicesMax = 4;
/** The kernel's answers when it finds nothing to push out. */
const stuckErrnos = new Set(['EAGAIN', 'EBUSY']);

/** @returns the usage at the end, or the target where that is higher. Sets no limit once `isWanted` is false. */
export async function pushOut(options: PushOutOptions): Promise<number> {
  const { targetBytes, headroomBytes, limitFile, usageBytes, isWanted } = options;
  let usage = usageBytes();
  for (let stuck = 0; isWanted() && usage > targetBytes && stuck < stuckSlicesMax;) {
    await pushSlice(options, usage);
    const now = usageBytes();
    stuck = now < usage ? 0 : stuck + 1;
    usage = now;
  }
  for (let attempt = 0; isWanted() && attempt < stuckSlicesMax; attempt += 1) {
    const reached = Math.max(targetBytes, usageBytes());
    // The kernel refuses a hard limit below usage, which may have grown since it was read.
    const limit = reached + headroomBytes + attempt * sliceBytes;
    if (await isTaken(writeInIdleTime(limitFile, String(limit)))) return reached;
  }
  return Math.max(targetBytes, usageBytes());
}

async function pushSlice(options: PushOutOptions, usage: number): Promise<void> {
  const { targetBytes, headroomBytes, limitFile, reclaimFile } = options;
  const next = Math.max(targetBytes, usage - sliceBytes);
  await isTaken(
    reclaimFile === undefined
      ? writeInIdleTime(limitFile, String(next), String(usage + headroomBytes))
      : writeInIdleTime(reclaimFile, String(usage - next)),
  );
}

async function isTaken(write: Promise<void>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    const code = ((error as ExopoolError).cause as NodeJS.ErrnoException | undefined)?.code;
    if (code === undefined || !stuckErrnos.has(code)) throw error;
    return false;
  }
}
