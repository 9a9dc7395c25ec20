/**
 * Pushes a cgroup's memory out to swap until it uses no more than it should, a slice at a time and in idle time:
 *
 *   usage  ████████████████████          slice: v2 memory.reclaim; else the limit, set below usage and lifted again in
 *   target ███████████▏····                     the same breath, so that the processes are not at it for longer
 *   limit  ████████████████▏····         at the end: what was reached, and the headroom
 */
import type { ExopoolError } from '@exopool/shared';
import { writeInIdleTime } from './idle-write.js';

export interface PushOutOptions {
  readonly targetBytes: number;
  readonly headroomBytes: number;
  readonly limitFile: string;
  /** The kernel pushes out what is asked for and limits nobody (v2, Linux 5.19). */
  readonly reclaimFile: string | undefined;
  readonly usageBytes: () => number;
  /** Looked at between slices. */
  readonly isWanted: () => boolean;
}

/** A few milliseconds of work: so long who no longer wants it waits. */
const sliceBytes = 4 * 1024 * 1024;
/** Slices in a row that get nowhere. */
const stuckSlicesMax = 4;
/** What the kernel answers when it finds nothing that it could push out. */
const stuckErrnos = new Set(['EAGAIN', 'EBUSY']);

/** @returns the usage at the end, or the target where that is higher. Sets no limit once it is not wanted. */
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
    // A hard limit is refused below usage, which may have grown since it was looked at.
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
