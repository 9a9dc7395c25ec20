/**
 * Reads a log after a crash, and tells a torn tail from damage.
 *
 * The disk may have done unsynced writes in any order and in pieces of a sector: a later frame can be whole where an
 * earlier one is missing. That is legal. The log ends at its first bad frame:
 *
 *   | good | good | bad | good, mark m1 | ...              m: the sync mark, how far the log was known to be on disk
 *                 ^ B                                      when the frame was written
 *
 *   every mark past B is at most B          a torn tail: these frames were never acknowledged as durable
 *   some mark past B is greater than B      damage: the bad frame was on disk once, and acknowledged
 *
 * The header of the next log says where a log ends; up to there every frame must be good. One kind of damage cannot be
 * recognised: in the last synced frames of the last log, if no later frame has a mark.
 */
import type { FileHandle } from 'node:fs/promises';
import { batchEntries, crc32c } from '@exopool/native/internal';
import { toExopoolError, type ExopoolError } from '@exopool/shared';
import {
  decodeFrameHeader,
  decodeLogHeader,
  frameAlignment,
  frameHeaderBytes,
  frameSeed,
  logHeaderBytes,
  type FrameHeader,
  type LogHeader,
} from './log-format.js';
import { corrupt } from '../format/page-view.js';

/** Bytes of one read. Longer frames are read whole. */
const windowBytes = 1024 * 1024;

/** One batch of writes as `Memtables.apply` takes it. A part of a larger buffer. */
export interface LoggedBatch {
  readonly payload: Buffer;
  /** Of its writes. */
  readonly count: number;
}

/** Where a log's bytes come from; a `FileHandle` is one. */
export type LogBytes = Pick<FileHandle, 'read'>;

/** Reads the batches of one log. */
export class LogReader {
  readonly #seed: number;
  /** Bytes of the file from `#windowStart` on. */
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;

  private constructor(
    readonly path: string,
    private readonly file: LogBytes,
    private readonly fileBytes: number,
    readonly header: LogHeader,
  ) {
    this.#seed = frameSeed(header.id);
  }

  /**
   * @param fileBytes size of the file now; later appends are not read.
   * @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`, `EXOPOOL_IO`.
   */
  static async open(path: string, file: LogBytes, fileBytes: number): Promise<LogReader> {
    const bytes = await readAt(path, file, 0, Math.min(fileBytes, logHeaderBytes));
    return new LogReader(path, file, fileBytes, decodeLogHeader(bytes, path));
  }

  /**
   * The batches in order.
   * @param end the known end of the log; without it the log ends at its first bad frame.
   * @returns the end of the log.
   * @throws ExopoolError `EXOPOOL_CORRUPT` with file and offset, `EXOPOOL_IO`.
   */
  async *batches(end?: number): AsyncGenerator<LoggedBatch, number> {
    const limit = Math.min(end ?? Infinity, this.fileBytes);
    for (let at = logHeaderBytes; ;) {
      const frame = at === end ? undefined : await this.#frame(at, limit);
      if (frame === undefined) {
        await this.#requireEnd(at, end);
        return at;
      }
      yield frame.batch;
      at = frame.end;
    }
  }

  /** The frame at `at`; `undefined` if there is no valid one. */
  async #frame(at: number, limit: number): Promise<{ batch: LoggedBatch; end: number } | undefined> {
    const header = await this.#header(at);
    if (header === undefined || header.end > limit) return undefined;
    const payload = await this.#bytes(at + frameHeaderBytes, header.length);
    if (payload.length < header.length || crc32c(payload) !== header.payloadChecksum) return undefined;
    const count = batchEntries(payload);
    if (count === undefined) throw corrupt(this.path, at, 'the frame contradicts itself');
    return { batch: { payload, count }, end: header.end };
  }

  async #header(at: number): Promise<FrameHeader | undefined> {
    const bytes = await this.#bytes(at, frameHeaderBytes);
    return decodeFrameHeader(bytes, 0, { seed: this.#seed, offset: at });
  }

  /** @throws ExopoolError `EXOPOOL_CORRUPT` unless the log may end at `at`. */
  async #requireEnd(at: number, end: number | undefined): Promise<void> {
    if (end !== undefined) {
      if (at !== end) throw this.#damaged(at, `the next log says that this one ends at ${end}`);
      return;
    }
    const witness = await this.#witnessAgainst(at);
    if (witness !== undefined) throw this.#damaged(at, `the frame at ${witness} says that it was on disk`);
  }

  /** The offset of a frame past `at` whose mark says that `at` was on disk. */
  async #witnessAgainst(at: number): Promise<number | undefined> {
    for (let offset = at; offset + frameHeaderBytes <= this.fileBytes;) {
      const bytes = await this.#bytes(offset, Math.min(windowBytes, this.fileBytes - offset));
      if (bytes.length < frameHeaderBytes) return undefined;
      const start = offset;
      while (offset - start + frameHeaderBytes <= bytes.length) {
        const header = decodeFrameHeader(bytes, offset - start, { seed: this.#seed, offset });
        if (header !== undefined && header.synced > at) return offset;
        offset = header?.end ?? offset + frameAlignment;
      }
    }
    return undefined;
  }

  /** Up to `length` bytes from `at`; fewer at the end of the file. */
  async #bytes(at: number, length: number): Promise<Buffer> {
    let start = at - this.#windowStart;
    if (start < 0 || start + length > this.#window.length) {
      const bytes = Math.min(Math.max(length, windowBytes), this.fileBytes - at);
      this.#window = await readAt(this.path, this.file, at, Math.max(0, bytes));
      this.#windowStart = at;
      start = 0;
    }
    return this.#window.subarray(start, start + length);
  }

  #damaged(at: number, evidence: string): ExopoolError {
    return corrupt(this.path, at, `the frame does not verify, and ${evidence}`);
  }
}

async function readAt(path: string, file: LogBytes, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  try {
    for (let at = 0; at < length;) {
      const { bytesRead } = await file.read(bytes, at, length - at, position + at);
      if (bytesRead === 0) return bytes.subarray(0, at);
      at += bytesRead;
    }
    return bytes;
  } catch (error) {
    throw toExopoolError(error, `cannot read ${path}`);
  }
}
