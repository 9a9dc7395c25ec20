/**
 * A write-ahead log that is being written.
 *
 *   header | frames on disk ........ | frames the kernel has | free
 *                             synced ^                   end ^
 *
 * The file gets its name only once its header is on disk. So a log with an invalid header is damaged, never unfinished.
 *
 * After a failed write (most often because of a full disk) the file is truncated to `end` and synced: nothing of the
 * failed frames is left, and the log goes on when there is space. After a failed sync nobody knows what the disk holds
 * past `synced`. Linux reports that once and then marks the pages clean, so another sync would prove nothing. The log is
 * *broken* then: it ends at `synced`, and the header of the next log says so.
 */
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { toExopoolError, type ExopoolError } from '@exopool/shared';
import { encodeLogHeader, frameSeed, logHeaderBytes, placeFrame, type LogEnd } from './log-format.js';
import { syncFolder } from '../base/sync-folder.js';
import { randomFileId, temporaryPrefix } from '../base/temporary-file.js';

/** "000012.log". */
export function logName(number: number): string {
  return `${String(number).padStart(6, '0')}.log`;
}

/** The number in a log's name; `undefined` if it is not the name of a log. */
export function logNumber(name: string): number | undefined {
  const digits = /^(\d{6,15})\.log$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** One log file, open for appending. */
export class LogFile {
  #end = logHeaderBytes;
  #synced = logHeaderBytes;
  #isBroken = false;

  private constructor(
    readonly number: number,
    private readonly path: string,
    private readonly seed: number,
    private readonly file: FileHandle,
  ) {}

  /** Creates the file; it is durable when this resolves. @throws ExopoolError `EXOPOOL_NO_SPACE`, `EXOPOOL_IO`, … */
  static async create(folder: string, number: number, previous: LogEnd): Promise<LogFile> {
    const path = join(folder, logName(number));
    const temporary = join(folder, temporaryPrefix + logName(number));
    const id = randomFileId();
    let file: FileHandle | undefined;
    try {
      file = await open(temporary, 'w');
      await writeFully(file, [encodeLogHeader({ id, number, previous })], 0);
      await file.datasync();
      await rename(temporary, path);
      await syncFolder(folder);
      return new LogFile(number, path, frameSeed(id), file);
    } catch (error) {
      await file?.close().catch(() => undefined);
      for (const name of [temporary, path]) await rm(name, { force: true }).catch(() => undefined);
      throw toExopoolError(error, `cannot create the log ${path}`);
    }
  }

  /** The end of the frames that were handed to the kernel. */
  get end(): number {
    return this.#end;
  }

  /** The end of the frames that are known to be on disk. */
  get synced(): number {
    return this.#synced;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Hands frames to the kernel. If it throws, none of them is in the log. @throws ExopoolError. */
  async append(frames: readonly Buffer[]): Promise<void> {
    let offset = this.#end;
    for (const frame of frames) {
      placeFrame(frame, { seed: this.seed, offset }, this.#synced);
      offset += frame.length;
    }
    try {
      await writeFully(this.file, frames, this.#end);
    } catch (error) {
      await this.#cutBack();
      throw this.#failure(error);
    }
    this.#end = offset;
  }

  /** Resolves once all appended frames are on disk. @throws ExopoolError; the log is broken then. */
  async sync(): Promise<void> {
    if (this.#synced === this.#end) return;
    try {
      await this.file.datasync();
    } catch (error) {
      this.#isBroken = true;
      throw this.#failure(error);
    }
    this.#synced = this.#end;
  }

  /** Never throws: frames that matter were synced before. */
  async close(): Promise<void> {
    await this.file.close().catch(() => undefined);
  }

  async #cutBack(): Promise<void> {
    try {
      await this.file.truncate(this.#end);
      await this.file.datasync();
      this.#synced = this.#end;
    } catch {
      this.#isBroken = true;
    }
  }

  #failure(error: unknown): ExopoolError {
    return toExopoolError(error, `cannot write ${this.path}; the write was not done`);
  }
}

/** Buffers of one system call: the kernel's limit (IOV_MAX). */
const buffersPerWriteMax = 1024;

async function writeFully(file: FileHandle, buffers: readonly Buffer[], position: number): Promise<void> {
  let at = position;
  let first = 0;
  /** Bytes of the first buffer that were written. */
  let skip = 0;
  while (first < buffers.length) {
    const some = buffers.slice(first, first + buffersPerWriteMax);
    some[0] = some[0]!.subarray(skip);
    // A full disk first writes less than asked; writing the rest then gives the error.
    const { bytesWritten } = await file.writev(some, at);
    at += bytesWritten;
    skip += bytesWritten;
    for (; first < buffers.length && skip >= buffers[first]!.length; first += 1)
      skip -= buffers[first]!.length;
  }
}
