/**
 * The native slab client of a JavaScript thread, and the listeners for its events. Each thread has one. Native code knows
 * sessions and batches by numbers.
 *
 * The client keeps the process alive only while something is awaited.
 */
import { clientSpinMicroseconds, slabEventKind } from '../contracts.js';
import { loadBinding } from '../load-binding.js';
import type { SlabSessionOptions } from './slab-session-options.js';

/** For connecting with its handshake, and for each batch: a hundred times the usual time on a busy machine. */
export const defaultSlabTimeoutMs = 1000;

interface NativeSlabClient {
  connect(
    address: string,
    port: number,
    seed: Buffer,
    producerKey: Buffer,
    ticket: Buffer,
    timeoutMs: number,
    spinMicroseconds: number,
  ): number;
  submit(
    session: number,
    batch: number,
    type: number,
    ranges: Uint32Array,
    data?: readonly Buffer[],
    into?: Buffer,
  ): boolean;
  close(session: number): void;
  keepAlive(yes: boolean): void;
}

type OnEvent = (
  kind: number,
  session: number,
  batch: number,
  number: number,
  more: number,
  statuses?: Buffer,
) => void;

interface SlabClientBinding {
  readonly SlabClient: new (onEvent: OnEvent) => NativeSlabClient;
}

/** Called with a status for each request, or with none when all succeeded; `waitMs` when the lease is over its rate. */
export type OnStatuses = (statuses: Uint8Array | undefined, waitMs: number) => void;

/** The events of a session: first `opened` or `refused`; `ended` once, after `opened`. */
export interface SessionListener {
  opened(slabs: number, slabBytes: number): void;
  refused(reason: number): void;
  ended(reason: number): void;
  reclaim(slabs: number, graceMs: number): void;
  gone(slabs: readonly number[]): void;
}

/**
 * The native client of this thread, and the listeners for its events.
 * @example
 * ```ts
 * const port = ownClientPort();
 * const session = port.connect(address, options, listener);
 * port.close(session);
 * ```
 */
export class ClientPort {
  readonly #native: NativeSlabClient;
  readonly #listeners = new Map<number, SessionListener>();
  readonly #batches = new Map<number, { readonly done: OnStatuses; readonly into: Buffer | undefined }>();
  #nextBatch = 1;
  #awaited = 0;

  constructor() {
    const { SlabClient } = loadBinding() as unknown as SlabClientBinding;
    this.#native = new SlabClient((...event) => this.#onEvent(...event));
  }

  /** Begins to connect. @returns the session's number. */
  connect(address: string, options: SlabSessionOptions, listener: SessionListener): number {
    const { port, seed, producerKey, ticket } = options;
    const timeoutMs = options.timeoutMs ?? defaultSlabTimeoutMs;
    const spin = options.spinMicroseconds ?? clientSpinMicroseconds;
    const session = this.#native.connect(address, port, seed, producerKey, ticket, timeoutMs, spin);
    this.#listeners.set(session, listener);
    this.#await(1);
    return session;
  }

  /** The native thread writes to `into` until it calls `done`. Holding `into` here keeps it alive. */
  submit(
    session: number,
    type: number,
    ranges: Uint32Array,
    done: OnStatuses,
    data?: readonly Buffer[],
    into?: Buffer,
  ): boolean {
    const batch = this.#nextBatch++;
    this.#batches.set(batch, { done, into });
    this.#await(1);
    if (this.#native.submit(session, batch, type, ranges, data, into)) return true;
    this.#batches.delete(batch);
    this.#await(-1);
    return false;
  }

  close(session: number): void {
    this.#native.close(session);
  }

  #await(change: 1 | -1): void {
    const before = this.#awaited;
    this.#awaited += change;
    if (before === 0 || this.#awaited === 0) this.#native.keepAlive(this.#awaited > 0);
  }

  #onEvent(
    kind: number,
    session: number,
    batch: number,
    number: number,
    more: number,
    statuses?: Buffer,
  ): void {
    const listener = this.#listeners.get(session);
    if (kind === slabEventKind.completed) {
      const waiting = this.#batches.get(batch);
      this.#batches.delete(batch);
      this.#await(-1);
      waiting?.done(statuses, number);
    } else if (kind === slabEventKind.opened) {
      this.#await(-1);
      listener?.opened(number, more);
    } else if (kind === slabEventKind.reclaim) {
      listener?.reclaim(number, more);
    } else if (kind === slabEventKind.gone) {
      const bytes = statuses ?? Buffer.alloc(0);
      listener?.gone(Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4)));
    } else {
      this.#listeners.delete(session);
      if (kind === slabEventKind.refused) this.#await(-1);
      if (kind === slabEventKind.refused) listener?.refused(number);
      else listener?.ended(number);
    }
  }
}

let clientPort: ClientPort | undefined;

/** The client of this thread, made at its first use. */
export function ownClientPort(): ClientPort {
  return (clientPort ??= new ClientPort());
}
