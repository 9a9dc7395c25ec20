/**
 * A consumer's session with one lease: reads and writes ranges of leased slabs.
 *
 *   readMany -> one crossing: encode, send -> (network) -> the client's native thread receives -> one crossing back
 *
 * All sessions of a process share one native thread. What is asked for in one call travels as one batch and completes
 * together. A session that is lost (revoked, expired, connection gone, an answer past its deadline) completes
 * everything with "lost"; it never rejects for that, since leased memory is a cache. Idle sessions keep no process
 * alive, calls under way do.
 *
 * A producer that needs memory asks for slabs back (`onReclaim`): move what is worth keeping, and `releaseSlab` those of
 * your choice. What it takes itself after the grace, or at once when it must, is told by `onGone`; the rest stays.
 */
import { lookup } from 'node:dns/promises';
import { ExopoolError, publicKeyBytes, seedBytes, toExopoolError } from '@exopool/shared';
import { ownClientPort, requestType, type ClientPort, type OnStatuses } from './slab-client-port.js';
import { connectError, lossReason, type LossReason } from './slab-outcome.js';
import type { SlabSessionOptions } from './slab-session-options.js';

/** Bytes of one range (SLAB_PAYLOAD_MAX). */
export const slabRangeBytesMax = 1024 * 1024;
const ticketBytes = 192;
const uint32Max = 2 ** 32 - 1;
/** RELEASE of every slab of the lease. */
const allSlabs = uint32Max;

export interface SlabRange {
  readonly slab: number;
  readonly offset: number;
  /** At most 1 MiB. */
  readonly length: number;
}

export interface SlabWrite {
  readonly slab: number;
  readonly offset: number;
  /** At most 1 MiB; copied before `writeMany` returns. */
  readonly data: Buffer;
}

export class SlabSession {
  readonly slabs: number;
  readonly slabBytes: number;
  readonly #port: ClientPort;
  /** What native code knows this session by. */
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
   * Connects, proves both sides' identity, and opens the lease.
   * @throws ExopoolError `EXOPOOL_TICKET_INVALID`, `EXOPOOL_TICKET_EXPIRED`, `EXOPOOL_NO_MEMORY`,
   * `EXOPOOL_UNAVAILABLE`, `EXOPOOL_TIMEOUT`, `EXOPOOL_DENIED`, `EXOPOOL_INVALID`.
   */
  static async connect(options: SlabSessionOptions): Promise<SlabSession> {
    checkLength('seed', options.seed, seedBytes);
    checkLength('producerKey', options.producerKey, publicKeyBytes);
    if (options.ticket.length !== ticketBytes) {
      throw new ExopoolError(
        'EXOPOOL_TICKET_INVALID',
        `a ticket has ${ticketBytes} bytes, not ${options.ticket.length}`,
      );
    }
    const where = `${options.host}:${options.port}`;
    const { address } = await lookup(options.host).catch((error: unknown) => {
      throw new ExopoolError('EXOPOOL_UNAVAILABLE', `cannot find the producer ${where}`, {
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
   * Reads ranges; `undefined` for each that is lost. The results share one allocation: copy what is to be kept.
   * @throws ExopoolError `EXOPOOL_INVALID` when a range is not inside of one slab, or longer than 1 MiB.
   */
  readMany(ranges: readonly SlabRange[]): Promise<(Buffer | undefined)[]> {
    const flat = this.#flatten(ranges, (range) => range.length);
    const total = ranges.reduce((sum, range) => sum + range.length, 0);
    const into = Buffer.allocUnsafe(total);
    return this.#submit(requestType.read, flat, undefined, into).then((good) => {
      let at = 0;
      return ranges.map((range, index) => {
        const from = at;
        at += range.length;
        return good(index) ? into.subarray(from, at) : undefined;
      });
    });
  }

  /** Writes ranges, in order; `false` for each that is lost. Throws as {@link readMany}. */
  writeMany(entries: readonly SlabWrite[]): Promise<boolean[]> {
    const flat = this.#flatten(entries, (entry) => entry.data.length);
    const data = entries.map((entry) => entry.data);
    return this.#submit(requestType.write, flat, data).then((good) => entries.map((_, index) => good(index)));
  }

  /** One empty request and its answer: false when the session is lost. */
  ping(): Promise<boolean> {
    return this.#submit(requestType.ping, new Uint32Array(3)).then((good) => good(0));
  }

  /**
   * Presents a later ticket of the same lease.
   * @throws ExopoolError `EXOPOOL_TICKET_INVALID` when the producer does not take it, or the session is lost.
   */
  async extend(ticket: Buffer): Promise<void> {
    const good = await this.#submit(requestType.extend, new Uint32Array(3), [ticket]);
    if (!good(0))
      throw new ExopoolError('EXOPOOL_TICKET_INVALID', 'the producer did not take the extended ticket');
  }

  /** Slabs of the lease that are gone: given back, or taken. */
  get goneSlabs(): ReadonlySet<number> {
    return this.#gone;
  }

  /** Milliseconds until the lease is within its rate again, as the producer said last; 0: it is. */
  get slowDownMs(): number {
    return Math.max(0, this.#slowDownUntilMs - performance.now());
  }

  /** Gives one slab back; the lease ends with its last one. False when it was gone already. */
  releaseSlab(slab: number): Promise<boolean> {
    if (!Number.isInteger(slab) || slab < 0 || slab >= this.slabs)
      throw new ExopoolError('EXOPOOL_INVALID', `slab ${slab} is none of the ${this.slabs} of this lease`);
    return this.#submit(requestType.release, Uint32Array.of(slab, 0, 0)).then((good) => good(0));
  }

  /** Calls back when the producer wants so many slabs back within so many milliseconds. */
  onReclaim(callback: (slabs: number, graceMs: number) => void): void {
    this.#onReclaim.push(callback);
  }

  /** Calls back with slabs that are gone, given back or taken; at once with those that went before. */
  onGone(callback: (slabs: readonly number[]) => void): void {
    this.#onGone.push(callback);
    const gone = [...this.#gone];
    if (gone.length > 0) queueMicrotask(() => callback(gone));
  }

  /** Gives all slabs back, their memory with everything in it, and closes. */
  async release(): Promise<void> {
    await this.#submit(requestType.release, Uint32Array.of(allSlabs, 0, 0));
    this.close();
  }

  /** Calls back once when the session is over, at once when it is already. Not after `close` or `release`. */
  onLost(callback: (reason: LossReason) => void): void {
    if (this.#lost === undefined) this.#onLost.push(callback);
    else queueMicrotask(() => callback(this.#lost!));
  }

  /** Ends the connection; the lease and its memory stay until the lease's end. Idempotent. */
  close(): void {
    for (const callbacks of [this.#onLost, this.#onReclaim, this.#onGone]) callbacks.length = 0;
    this.#port.close(this.number);
  }

  /** Resolves with a function that says whether the request at an index was good. */
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
        resolve((index) => statuses === undefined || statuses[index] === 0);
      };
      if (!this.#port.submit(this.number, type, ranges, done, data, into)) resolve(() => false);
    });
  }

  #flatten<T extends { slab: number; offset: number }>(
    entries: readonly T[],
    lengthOf: (entry: T) => number,
  ): Uint32Array {
    const flat = new Uint32Array(entries.length * 3);
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
        length <= slabRangeBytesMax &&
        entry.offset + length <= this.slabBytes;
      if (!inside) {
        throw new ExopoolError(
          'EXOPOOL_INVALID',
          `no range of this lease: slab ${entry.slab}, offset ${entry.offset}, length ${length} ` +
            `(${this.slabs} slabs of ${this.slabBytes} bytes, 1 MiB at once)`,
        );
      }
      flat.set([entry.slab, entry.offset, length], index * 3);
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

  /** Later, so that one that throws does not keep the others, or other events, from being told. */
  #tell<A extends unknown[]>(callbacks: readonly ((...what: A) => void)[], ...what: A): void {
    for (const callback of [...callbacks]) queueMicrotask(() => callback(...what));
  }
}

function checkLength(name: string, bytes: Buffer, length: number): void {
  if (bytes.length === length) return;
  throw new ExopoolError('EXOPOOL_INVALID', `${name} must have ${length} bytes, not ${bytes.length}`);
}
