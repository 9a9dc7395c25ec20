/**
 * A file written from front to back in large pieces.
 *
 * The caller asks for room and fills it; a piece goes to the file when it is full. Filling is synchronous, so that
 * a table is built without a promise a key, and `drain()` is where the caller waits. Pieces wait in memory only
 * between two drains: at most the largest single request, rounded up.
 *
 *   |  written  |  full pieces, pending  |  open piece: filled ... free  |
 */
import { open, rm, type FileHandle } from 'node:fs/promises';
import { toExopoolError } from '@exopool/shared';
import { EXO_PAGE_SIZE } from './format.js';

/** A write of this size costs the disk as little a byte as a larger one. A multiple of the page. */
export const sinkPieceBytes = 1024 * 1024;

export class FileSink {
  #piece = Buffer.alloc(sinkPieceBytes);
  #filled = 0;
  #pending: Buffer[] = [];
  #written: number;
  #open = true;

  private constructor(
    readonly path: string,
    readonly file: FileHandle,
    start: number,
  ) {
    this.#written = start;
  }

  /** Makes the file; it must not exist. The first bytes go to offset `start`. */
  static async create(path: string, start: number): Promise<FileSink> {
    try {
      return new FileSink(path, await open(path, 'wx'), start);
    } catch (error) {
      throw toExopoolError(error, `cannot create ${path}`);
    }
  }

  /** File offset of the next byte. */
  get position(): number {
    return this.#written + this.#pending.length * sinkPieceBytes + this.#filled;
  }

  /** True when full pieces wait: call `drain()` before filling more. */
  get mustDrain(): boolean {
    return this.#pending.length > 0;
  }

  /** One page of zeroes to be filled at once; it becomes the file's next page. */
  page(): Buffer {
    const page = this.#piece.subarray(this.#filled, this.#filled + EXO_PAGE_SIZE);
    this.#advance(EXO_PAGE_SIZE);
    return page;
  }

  /** Copies `bytes` and fills the last page up with zeroes. */
  pages(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(bytes.length - at, sinkPieceBytes - this.#filled);
      bytes.copy(this.#piece, this.#filled, at, at + length);
      at += length;
      this.#advance(Math.ceil(length / EXO_PAGE_SIZE) * EXO_PAGE_SIZE);
    }
  }

  /** Writes the full pieces. */
  async drain(): Promise<void> {
    for (let piece = this.#pending[0]; piece !== undefined; piece = this.#pending[0]) {
      await this.writeAt(piece, this.#written);
      this.#written += piece.length;
      this.#pending.shift();
    }
  }

  /** Writes everything, also the piece that is not full. No bytes may follow. */
  async end(): Promise<void> {
    await this.drain();
    await this.writeAt(this.#piece.subarray(0, this.#filled), this.#written);
  }

  async writeAt(bytes: Buffer, position: number): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await this.file.write(bytes, at, bytes.length - at, position + at);
        at += bytesWritten;
      }
    } catch (error) {
      throw toExopoolError(error, `cannot write ${this.path}`);
    }
  }

  async sync(): Promise<void> {
    try {
      await this.file.sync();
    } catch (error) {
      throw toExopoolError(error, `cannot make ${this.path} durable`);
    }
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.file.close();
  }

  /** Closes and removes the file. Never throws: it runs when something has failed already. */
  async discard(): Promise<void> {
    await this.close().catch(() => undefined);
    await rm(this.path, { force: true }).catch(() => undefined);
  }

  #advance(bytes: number): void {
    this.#filled += bytes;
    if (this.#filled < sinkPieceBytes) return;
    this.#pending.push(this.#piece);
    this.#piece = Buffer.alloc(sinkPieceBytes);
    this.#filled = 0;
  }
}
