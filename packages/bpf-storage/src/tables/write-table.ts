/**
 * Writes a table file from memtables, runs and tables. A native job does the work (see `TableWrite`).
 *
 * The file is called `tmp-…` until it is complete and durable; then it is renamed. After an error it is removed.
 */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TableWrite, type ScanSources, type WrittenTable } from '@exopool/native/internal';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { throwIfAborted } from '../base/abort.js';
import { syncFolder } from '../base/sync-folder.js';
import { temporaryPrefix } from '../base/temporary-file.js';

/** How often progress is reported, milliseconds. */
const progressMs = 100;

export interface TablePlace {
  readonly folder: string;
  /** The file's name once it is complete. */
  readonly name: string;
  readonly tableId: bigint;
  /** Unix time, milliseconds. */
  readonly createdMs: number;
  /** Whether the file stays in the page cache. Default false. */
  readonly keepCached?: boolean;
  /** A scratch table keeps its temporary name, has no filter, and need not reach the disk. Default false. */
  readonly scratch?: boolean;
}

export interface WriteTableHooks {
  readonly signal?: AbortSignal | undefined;
  /** Leaves tombstones out. Correct only if there is no older table. Default false. */
  readonly dropTombstones?: boolean;
  /** See `TableWriteOptions`. */
  readonly background?: boolean;
  readonly bytesPerSecond?: number;
  readonly readBytes?: number;
  /** Called with the job when it starts. */
  readonly onStart?: (job: TableWrite) => void;
  /** Called every 100 ms with the entries merged and the bytes written so far. If it throws, the job ends. */
  readonly onProgress?: (entries: number, bytes: number) => void;
}

export interface TableSummary {
  readonly path: string;
  /** Tombstones are entries too. */
  readonly entries: number;
  readonly bytes: number;
  /** `undefined` if there are no entries. */
  readonly smallestKey: Buffer | undefined;
  readonly largestKey: Buffer | undefined;
}

/**
 * Writes one table.
 * @throws ExopoolError `EXOPOOL_ABORTED` when the signal fires, `EXOPOOL_NO_SPACE`, `EXOPOOL_PERMISSION`, … of the file
 * system, `EXOPOOL_CORRUPT` of a source; and what `onProgress` throws.
 */
export async function writeTable(
  place: TablePlace,
  sources: ScanSources,
  hooks: WriteTableHooks = {},
): Promise<TableSummary> {
  const { folder, name, tableId, createdMs, keepCached, scratch = false } = place;
  const { signal, dropTombstones, background, bytesPerSecond, readBytes } = hooks;
  throwIfAborted(signal);
  const path = join(folder, temporaryPrefix + name);
  const kind = { durable: !scratch, filter: !scratch, keepCached: scratch || keepCached };
  const job = new TableWrite(sources, {
    ...{ path, tableId, createdMs, dropTombstones, background, bytesPerSecond, readBytes },
    ...kind,
  });
  const written = await ended(job, hooks);
  if (written === undefined) {
    throwIfAborted(signal);
    throw new ExopoolError('EXOPOOL_ABORTED', `the writing of ${path} was cancelled`);
  }
  const { entries, bytes, smallestKey, largestKey } = written;
  const keys =
    entries === 0 ? { smallestKey: undefined, largestKey: undefined } : { smallestKey, largestKey };
  return { entries, bytes, ...keys, path: scratch ? path : await publish(folder, name, signal) };
}

/** Connects the job with its hooks, and waits for its end. */
async function ended(
  job: TableWrite,
  { signal, onStart, onProgress }: WriteTableHooks,
): Promise<WrittenTable | undefined> {
  const cancel = (): void => job.cancel();
  signal?.addEventListener('abort', cancel);
  onStart?.(job);
  let failure: { readonly error: unknown } | undefined;
  const report = (): void => {
    try {
      onProgress?.(job.progress.entries, job.progress.bytes);
    } catch (error) {
      failure ??= { error };
      job.cancel();
    }
  };
  const timer = onProgress && setInterval(report, progressMs);
  try {
    const written = await job.done;
    if (failure !== undefined) throw failure.error;
    return written;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', cancel);
  }
}

async function publish(folder: string, name: string, signal: AbortSignal | undefined): Promise<string> {
  const temporary = join(folder, temporaryPrefix + name);
  const path = join(folder, name);
  try {
    throwIfAborted(signal);
    await rename(temporary, path);
    await syncFolder(folder);
    return path;
  } catch (error) {
    for (const left of [temporary, path]) await rm(left, { force: true }).catch(() => undefined);
    throw toExopoolError(error, `cannot name ${path}`);
  }
}
