/**
 * A consumer's session with one lease: reads and writes ranges of leased slabs.
 *
 *   readMany -> one crossing: encode, send -> (network) -> the client's native thread receives -> one crossing back
 *
 * All sessions of a process share one native thread. The requests of one call travel as one batch and complete together.
 * A session is lost when it is revoked or expired, when the connection breaks, or when an answer is too late. Then every
 * request completes as "lost". It never rejects for that, since leased memory is a cache. Idle sessions do not keep the
 * process alive; calls in flight do.
 *
 * A producer that needs memory asks for slabs back (`onReclaim`). The caller moves what is worth keeping, and calls
 * `releaseSlab` for slabs of its choice. After the grace, or at once in an emergency, the producer takes slabs itself, and
 * `onGone` names them. All other slabs stay.
 */
import { lookup } from 'node:dns/promises';
import { ExopoolError, publicKeyBytes, seedBytes, toExopoolError } from '@exopool/shared';
import {
  SLAB_ALL,
  SLAB_PAYLOAD_MAX,
  SLAB_TICKET_BYTES,
  slabRangeWord,
  slabStatus,
  slabType,
} from '../contracts.js';
import { ownClientPort, type ClientPort, type OnStatuses } from './slab-client-port.js';
import { connectError, lossReason, type LossReason } from './slab-outcome.js';
import type { SlabSessionOptions } from './slab-session-options.js';

export type { LossReason } from './slab-outcome.js';

/** A range of a leased slab. */
export interface SlabRange {
  readonly slab: number;
  readonly offset: number;
  /** At most 1 MiB. */
  readonly length: number;
}

/** Bytes for a place in a leased slab. */
export interface SlabWrite {
  readonly slab: number;
  readonly offset: number;
  /** At most 1 MiB; copied before `writeMany` returns. */
  readonly data: Buffer;
}

/**
 * A session with a producer under one lease.
 * @example
 * ```ts
 * import { SlabSession, type SlabSessionOptions } from '@exopool/native/internal';
 *
 * declare const options: SlabSessionOptions; // from a lease
 * const session = await SlabSession.connect(options);
 * await session.writeMany([{ slab: 0, offset: 4096, data: Buffer.from('value') }]);
 * console.log(await session.readMany([{ slab: 0, offset: 4096, length: 5 }]));
 * await session.release();
 * ```
 */
export class SlabSession {
  readonly slabs: number;
  readonly slabBytes: number;
  readonly #port: ClientPort;
  /** The session's number in native code. */
  readonly number: number;
  readonly #onLost: ((reason: LossReason) => void)[] = [];
  readonly #onReclaim: ((slabs: number, graceMs: number) => void)[] = [];
  readonly #onGone: ((slabs: readonly number[]) => void)[] = [];
  readonly #gone = new Set<number>();
  #slowDownUntilMs = 0;
  #lost: LossReason | undefined;

  private constructor(port: ClientPort, session: number, slabs: number, slabBytes: number) {
    this.#port = port;
    this.number = session;
    this.slabs = slabs;
    this.slabBytes = slabBytes;
  }

  /**
   * Connects, checks the identity of both sides, and opens the lease.
   * @throws ExopoolError `EXOPOOL_TICKET_INVALID`, `EXOPOOL_TICKET_EXPIRED`, `EXOPOOL_NO_MEMORY`,
   * `EXOPOOL_UNAVAILABLE`, `EXOPOOL_TIMEOUT`, `EXOPOOL_DENIED`, `EXOPOOL_INVALID`.
   */
  static async connect(options: SlabSessionOptions): Promise<SlabSession> {
    checkLength('seed', options.seed, seedBytes);
    checkLength('producerKey', options.producerKey, publicKeyBytes);
    if (options.ticket.length !== SLAB_TICKET_BYTES) {
      throw new ExopoolError(
        'EXOPOOL_TICKET_INVALID',
        `a ticket must have ${SLAB_TICKET_BYTES} bytes, not ${options.ticket.length}`,
      );
    }
    const where = `${options.host}:${options.port}`;
    const { address } = await lookup(options.host).catch((error: unknown) => {
      throw new ExopoolError('EXOPOOL_UNAVAILABLE', `cannot resolve the address of the producer ${where}`, {
        cause: toExopoolError(error),
      });
    });
    const port = ownClientPort();
    return new Promise((resolve, reject) => {
      let opened: SlabSession | undefined;
      const session = port.connect(address, options, {
        opened: (slabs, slabBytes) => resolve((opened = new SlabSession(port, session, slabs, slabBytes))),
        refused: (reason) => reject(connectError(reason, where)),
        ended: (reason) => {
          if (opened !== undefined) opened.#end(lossReason(reason));
        },
        reclaim: (slabs, graceMs) => {
          if (opened !== undefined) opened.#tell(opened.#onReclaim, slabs, graceMs);
        },
        gone: (slabs) => {
          if (opened !== undefined) opened.#lose(slabs);
        },
      });
    });
  }

  /**
   * Reads ranges; `undefined` for each range that is lost. The results share one allocation: copy one to keep it.
   * @throws ExopoolError `EXOPOOL_INVALID` when a range is not inside of one slab, or is longer than 1 MiB.
   */
  readMany(ranges: readonly SlabRange[]): Promise<(Buffer | undefined)[]> {
    const flat = this.#flatten(ranges, (range) => range.length);
    const total = ranges.reduce((sum, range) => sum + range.length, 0);
    // Not of Node's pool: the client's thread writes here until the answers are there.
    const into = Buffer.allocUnsafeSlow(total);
    return this.#submit(slabType.read, flat, undefined, into).then((good) => {
      let at = 0;
      return ranges.map((range, index) => {
        const from = at;
        at += range.length;
        return good(index) ? into.subarray(from, at) : undefined;
      });
    });
  }

  /** Writes ranges, in order; `false` for each range that is lost. Throws as {@link readMany}. */
  writeMany(entries: readonly SlabWrite[]): Promise<boolean[]> {
    const flat = this.#flatten(entries, (entry) => entry.data.length);
    const data = entries.map((entry) => entry.data);
    return this.#submit(slabType.write, flat, data).then((good) => entries.map((_, index) => good(index)));
  }

  /** Sends one empty request, and awaits its answer. False when the session is lost. */
  ping(): Promise<boolean> {
    return this.#submit(slabType.ping, new Uint32Array(slabRangeWord.words)).then((good) => good(0));
  }

  /**
   * Presents a later ticket of the same lease.
   * @throws ExopoolError `EXOPOOL_TICKET_INVALID` when the producer refuses it, or the session is lost.
   */
  async extend(ticket: Buffer): Promise<void> {
    const good = await this.#submit(slabType.extend, new Uint32Array(slabRangeWord.words), [ticket]);
    if (!good(0))
      throw new ExopoolError(
        'EXOPOOL_TICKET_INVALID',
        'the producer refused the extended ticket; lease again',
      );
  }

  /** Slabs of the lease that are gone: released by us, or taken by the producer. */
  get goneSlabs(): ReadonlySet<number> {
    return this.#gone;
  }

  /** Milliseconds until the lease is within its rate again, from the producer's last answer; 0: it is within its rate. */
  get slowDownMs(): number {
    return Math.max(0, this.#slowDownUntilMs - performance.now());
  }

  /** Gives one slab back. The lease ends with its last slab. False when the slab was gone already. */
  releaseSlab(slab: number): Promise<boolean> {
    if (!Number.isInteger(slab) || slab < 0 || slab >= this.slabs)
      throw new ExopoolError('EXOPOOL_INVALID', `this lease has slabs 0 to ${this.slabs - 1}, not ${slab}`);
    return this.#submit(slabType.release, Uint32Array.of(slab, 0, 0)).then((good) => good(0));
  }

  /** Calls back when the producer wants `slabs` slabs back within `graceMs`. */
  onReclaim(callback: (slabs: number, graceMs: number) => void): void {
    this.#onReclaim.push(callback);
  }

  /** Calls back with slabs that are gone, released or taken; soon with those that went before. */
  onGone(callback: (slabs: readonly number[]) => void): void {
    this.#onGone.push(callback);
    const gone = [...this.#gone];
    if (gone.length > 0) queueMicrotask(() => callback(gone));
  }

  /** Gives all slabs back, and closes. All values in them are lost. */
  async release(): Promise<void> {
    await this.#submit(slabType.release, Uint32Array.of(SLAB_ALL, 0, 0));
    this.close();
  }

  /** Calls back once when the session is lost; soon when it is lost already. Never after `close` or `release`. */
  onLost(callback: (reason: LossReason) => void): void {
    if (this.#lost === undefined) this.#onLost.push(callback);
    else queueMicrotask(() => callback(this.#lost!));
  }

  /** Ends the connection. The lease and its memory stay until the lease ends. Idempotent. */
  close(): void {
    for (const callbacks of [this.#onLost, this.#onReclaim, this.#onGone]) callbacks.length = 0;
    this.#port.close(this.number);
  }

  /** Resolves with a function that tells whether the request at an index succeeded. */
  #submit(
    type: number,
    ranges: Uint32Array,
    data?: readonly Buffer[],
    into?: Buffer,
  ): Promise<(index: number) => boolean> {
    if (ranges.length === 0) return Promise.resolve(() => true);
    return new Promise((resolve) => {
      const done: OnStatuses = (statuses, waitMs) => {
        if (waitMs > 0) this.#slowDownUntilMs = performance.now() + waitMs;
        resolve((index) => statuses === undefined || statuses[index] === slabStatus.ok);
      };
      if (!this.#port.submit(this.number, type, ranges, done, data, into)) resolve(() => false);
    });
  }

  #flatten<T extends { slab: number; offset: number }>(
    entries: readonly T[],
    lengthOf: (entry: T) => number,
  ): Uint32Array {
    const flat = new Uint32Array(entries.length * slabRangeWord.words);
    entries.forEach((entry, index) => {
      const length = lengthOf(entry);
      const inside =
        Number.isInteger(entry.slab) &&
        Number.isInteger(entry.offset) &&
        Number.isInteger(length) &&
        entry.slab >= 0 &&
        entry.slab < this.slabs &&
        entry.offset >= 0 &&
        length >= 0 &&
        length <= SLAB_PAYLOAD_MAX &&
        entry.offset + length <= this.slabBytes;
      if (!inside) {
        throw new ExopoolError(
          'EXOPOOL_INVALID',
          `not a range of this lease: slab ${entry.slab}, offset ${entry.offset}, length ${length} ` +
            `(${this.slabs} slabs of ${this.slabBytes} bytes, 1 MiB at once)`,
        );
      }
      const at = slabRangeWord.words * index;
      flat[at + slabRangeWord.slab] = entry.slab;
      flat[at + slabRangeWord.offset] = entry.offset;
      flat[at + slabRangeWord.length] = length;
    });
    return flat;
  }

  #end(reason: LossReason): void {
    this.#lost = reason;
    this.#tell(this.#onLost.splice(0), reason);
  }

  #lose(slabs: readonly number[]): void {
    for (const slab of slabs) this.#gone.add(slab);
    this.#tell(this.#onGone, slabs);
  }

  /** Calls each one in a microtask of its own, so that one that throws does not stop the others. */
  #tell<A extends unknown[]>(callbacks: readonly ((...what: A) => void)[], ...what: A): void {
    for (const callback of [...callbacks]) queueMicrotask(() => callback(...what));
  }
}

function checkLength(name: string, bytes: Buffer, length: number): void {
  if (bytes.length === length) return;
  throw new ExopoolError('EXOPOOL_INVALID', `${name} must have ${length} bytes, not ${bytes.length}`);
}
