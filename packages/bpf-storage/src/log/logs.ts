/**
 * The logs of a store that is being opened: those that still count, and their batches.
 *
 *   MANIFEST   "log": 7        the writes of logs below 7 are in the tables
 *   000006.log                 left over; the next writer removes it
 *   000007.log -> 000008.log   each names the log before it and the end of that, which reveals a missing log
 *
 * Only the last log may have a torn tail. A log may be replayed although its writes are in the tables: its last write of
 * each key gives the same value.
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

/** The logs of one store, open for reading. */
export class Logs {
  private constructor(
    private readonly folder: string,
    private readonly logs: readonly OpenLog[],
  ) {}

  /**
   * Opens the logs from number `first` on. Later appends and removals do not affect them.
   * @throws ExopoolError `EXOPOOL_NOT_FOUND` if one is missing, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`, `EXOPOOL_IO`.
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

  /** The number of the next log. The manifest says that it is at least `first`. */
  next(first: number): number {
    return Math.max(first, (this.logs.at(-1)?.reader.header.number ?? 0) + 1);
  }

  /**
   * Calls `apply` with every batch, the oldest first.
   * @returns the end of the last log.
   * @throws ExopoolError `EXOPOOL_CORRUPT` with file and offset, `EXOPOOL_IO`, and whatever `apply` throws.
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
   * Syncs the last log. After a crash of the process alone, the kernel may have frames that the disk does not have, and
   * the header of the next log will state that they are there.
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

/** Removes the logs below `first`. Their writes are in durable tables. */
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
  const message = `${logName(number)} is missing although ${path} follows it; restore it from a backup of the store`;
  throw new ExopoolError('EXOPOOL_NOT_FOUND', message);
}

async function closeAll(logs: readonly OpenLog[]): Promise<void> {
  for (const { file } of logs) await file.close().catch(() => undefined);
}
