/**
 * The logs of a store that is being opened: which ones still count, and what is in them.
 *
 *   MANIFEST   "log": 7        the writes of logs below 7 are in the tables
 *   000006.log                 left over; removed by the next writer
 *   000007.log -> 000008.log   each names the one before it and where that one ends, so a missing one is noticed
 *
 * Only the last log may have a torn tail. A log whose writes are in the tables already may be replayed again: its
 * last write of a key is the same.
 */
import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { logName, logNumber } from './log-file.js';
import { noLog, type LogEnd } from './log-format.js';
import { LogReader, type LoggedBatch } from './log-reader.js';
import { corrupt } from '../format/page-view.js';

interface OpenLog {
  readonly file: FileHandle;
  readonly reader: LogReader;
}

export class Logs {
  private constructor(
    private readonly folder: string,
    private readonly logs: readonly OpenLog[],
  ) {}

  /**
   * Opens the logs from number `first` on; what is appended or removed later does not matter to them.
   * @throws ExopoolError `EXOPOOL_NOT_FOUND` when one is missing, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`, `EXOPOOL_IO`.
   */
  static async open(folder: string, first: number): Promise<Logs> {
    const logs: OpenLog[] = [];
    try {
      for (const number of await logNumbers(folder)) {
        if (number >= first) logs.push(await openLog(folder, number));
      }
      for (const [index, { reader }] of logs.entries())
        requirePrevious(reader, logs[index - 1]?.reader, first);
      return new Logs(folder, logs);
    } catch (error) {
      await closeAll(logs);
      throw toExopoolError(error, `cannot read the logs in ${folder}`);
    }
  }

  /** The number of the next log, when the manifest says that it is at least `first`. */
  next(first: number): number {
    return Math.max(first, (this.logs.at(-1)?.reader.header.number ?? 0) + 1);
  }

  /**
   * Gives every batch to `apply`, the oldest first.
   * @returns where the last log ends.
   * @throws ExopoolError `EXOPOOL_CORRUPT` with file and offset, `EXOPOOL_IO`, and what `apply` throws.
   */
  async replay(apply: (batch: LoggedBatch) => Promise<void> | undefined): Promise<LogEnd> {
    let last = noLog;
    for (const [index, { reader }] of this.logs.entries()) {
      const batches = reader.batches(this.logs[index + 1]?.reader.header.previous.end);
      for (let batch = await batches.next(); ; batch = await batches.next()) {
        if (batch.done === true) {
          last = { number: reader.header.number, end: batch.value };
          break;
        }
        const wait = apply(batch.value);
        if (wait !== undefined) await wait;
      }
    }
    return last;
  }

  /**
   * Makes durable what was replayed. After a crash of the process alone the kernel has frames that the disk has not,
   * and the next log will state that they are there.
   */
  async sync(): Promise<void> {
    try {
      await this.logs.at(-1)?.file.datasync();
    } catch (error) {
      throw toExopoolError(error, `cannot make the logs in ${this.folder} durable`);
    }
  }

  async close(): Promise<void> {
    await closeAll(this.logs);
  }
}

/** Removes the logs whose writes are in durable tables: those below `first`. */
export async function removeLogs(folder: string, first: number): Promise<void> {
  try {
    for (const number of await logNumbers(folder)) {
      if (number < first) await rm(join(folder, logName(number)), { force: true });
    }
  } catch (error) {
    throw toExopoolError(error, `cannot remove the old logs in ${folder}`);
  }
}

/** Numbers of the logs in a folder, ascending. */
export async function logNumbers(folder: string): Promise<number[]> {
  const numbers = (await readdir(folder)).map(logNumber).filter((number) => number !== undefined);
  return numbers.sort((a, b) => a - b);
}

async function openLog(folder: string, number: number): Promise<OpenLog> {
  const path = join(folder, logName(number));
  const file = await open(path, 'r');
  try {
    const reader = await LogReader.open(path, file, (await file.stat()).size);
    if (reader.header.number !== number) throw corrupt(path, 0, 'the log has another number than its name');
    return { file, reader };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function requirePrevious({ path, header }: LogReader, before: LogReader | undefined, first: number): void {
  const { number } = header.previous;
  if (number === before?.header.number || (before === undefined && number < first)) return;
  const message = `${logName(number)} is missing though ${path} follows it; restore it from a copy of the store`;
  throw new ExopoolError('EXOPOOL_NOT_FOUND', message);
}

async function closeAll(logs: readonly OpenLog[]): Promise<void> {
  for (const { file } of logs) await file.close().catch(() => undefined);
}
