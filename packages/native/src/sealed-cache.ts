/**
 * A cache over leased memory: the index is here, the values are sealed and far away (addon/sealed_cache.hh).
 *
 *   getMany -> one crossing: look up, frame     ... at the end of the turn: send
 *              (network) -> the client's native thread receives and opens -> one call for all that is there
 *
 * A program that asks for one value after the other waits for each, so there is nothing to gain from other threads, and
 * waking one costs more than the answer takes. Such a call is sent at once, and the answer awaited on this thread for
 * some microseconds (`spinMicroseconds`): only while that succeeds, only when nothing else is under way, and the event
 * loop gets its turn after a millisecond at the latest.
 */
import { availableParallelism } from 'node:os';
import { ExopoolError, type CacheTier, type CacheTierStats } from '@exopool/shared';
import { loadBinding } from './load-binding.js';
import type { SlabSession } from './slab-client.js';
import { SpinPolicy } from './spin-policy.js';

/** How values are sealed before a producer gets them; addon/value_seal.hh says what each hides and detects. */
export const sealModes = ['off', 'integrity', 'aes-128-gcm', 'paper'] as const;
export type SealMode = (typeof sealModes)[number];

/** Keys are only hashed; longer ones are no keys. */
export const cacheKeyBytesMax = 4096;

/** Answers of one delivery: SealedCacheObject::kDeliveryAnswers. */
const deliveryAnswers = 64;
/** Twice what a request and its answer take over loopback when neither end sleeps. */
const defaultSpinMicroseconds = 40;
/** Tokens are 31 bits; they start again long before, when none of the old ones can be under way. */
const tokensMax = 2 ** 30;
const putDone = -2;

export interface SealedCacheStats extends CacheTierStats {
  /** Values that were written again elsewhere, because they were in use where room was made. */
  readonly moved: number;
  /** Local memory: index, segments, keys that were evicted lately. */
  readonly metadataBytes: number;
}

export interface SealedCacheOptions {
  /** Default 'aes-128-gcm'. */
  readonly mode?: SealMode;
  /** How long a call waits on this thread for its answer; default 40, and 0 with a single processor. */
  readonly spinMicroseconds?: number;
}

interface NativeSealedCache {
  addRegion(session: number, slabs: number, slabBytes: number): boolean;
  removeRegion(session: number): void;
  removeSlabs(session: number, slabs: Uint32Array): void;
  vacate(session: number, count: number): Uint32Array;
  get(keys: readonly Buffer[], firstToken: number, here: Uint8Array): number;
  put(keys: readonly Buffer[], values: readonly Buffer[], token: number): number;
  delete(keys: readonly Buffer[]): void;
  mayHold(key: Buffer): boolean;
  send(): void;
  sendAndWait(microseconds: number): boolean;
  keepAlive(yes: boolean): void;
  stats(): Float64Array;
}

interface SealedCacheBinding {
  readonly SealedCache: new (
    mode: number,
    receive: (answers: number, values?: Buffer) => void,
    words: Int32Array,
  ) => NativeSealedCache;
}

/** A call whose answers are awaited. */
interface Call {
  left: number;
  readonly firstToken: number;
  readonly values: (Buffer | undefined)[];
  readonly resolve: (values: (Buffer | undefined)[]) => void;
}

export class SealedCache implements CacheTier {
  readonly #native: NativeSealedCache;
  readonly #spin: SpinPolicy;
  readonly #sessions = new Set<SlabSession>();
  readonly #words = new Int32Array(2 * deliveryAnswers);
  readonly #calls = new Map<number, Call>();
  readonly #puts = new Map<number, { left: number; readonly resolve: () => void }>();
  #nextToken = 1;
  #sendScheduled = false;
  #awaited = 0;
  #rejected = 0;

  /** @throws ExopoolError `EXOPOOL_INVALID` for an unknown mode, `EXOPOOL_NATIVE` without the addon. */
  constructor({ mode = 'aes-128-gcm', spinMicroseconds }: SealedCacheOptions = {}) {
    const number = sealModes.indexOf(mode);
    if (number < 0) throw new ExopoolError('EXOPOOL_INVALID', `no seal mode ${mode}`);
    this.#spin = new SpinPolicy(
      spinMicroseconds ?? (availableParallelism() > 1 ? defaultSpinMicroseconds : 0),
    );
    const { SealedCache: Native } = loadBinding() as unknown as SealedCacheBinding;
    this.#native = new Native(number, (count, values) => this.#receive(count, values), this.#words);
  }

  /**
   * Uses a session's slabs from now on, until it is lost or removed. Slabs that its producer wants back are given
   * back: those that are used least, after what is in use in them was moved.
   */
  addMemory(session: SlabSession): void {
    if (this.#sessions.has(session)) return;
    if (!this.#native.addRegion(session.number, session.slabs, session.slabBytes)) return;
    this.#sessions.add(session);
    session.onLost(() => this.removeMemory(session));
    session.onGone((slabs) => this.#native.removeSlabs(session.number, Uint32Array.from(slabs)));
    session.onReclaim((slabs) => {
      if (!this.#sessions.has(session)) return;
      for (const slab of this.#native.vacate(session.number, slabs)) void session.releaseSlab(slab);
    });
  }

  /** Forgets a session's slabs, and at once every value in them. */
  removeMemory(session: SlabSession): void {
    if (this.#sessions.delete(session)) this.#native.removeRegion(session.number);
  }

  /** Values that arrive together share an allocation: copy one to keep it alone for long. */
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    const values = new Array<Buffer | undefined>(keys.length).fill(undefined);
    const here = new Uint8Array(keys.length);
    const firstToken = this.#takeTokens(keys.length);
    const left = this.#native.get(keys, firstToken, here);
    if (left === 0) return Promise.resolve(values);
    return new Promise((resolve) => {
      const call: Call = { left, firstToken, values, resolve };
      for (let index = 0; index < here.length; index++) {
        if (here[index] === 1) this.#calls.set(firstToken + index, call);
      }
      this.#await(1);
      const alone = this.#spin.begin(this.#awaited === 1 && !this.#sendScheduled);
      if (!alone) this.#scheduleSend();
      else this.#spin.end(this.#native.sendAndWait(this.#spin.microseconds) && call.left === 0);
    });
  }

  mayHold(key: Buffer): boolean {
    return this.#native.mayHold(key);
  }

  /** Values are sealed and their places decided at once; resolves when producers have them, or are lost. */
  putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    const good = entries.filter(([key]) => key.length <= cacheKeyBytesMax);
    this.#rejected += entries.length - good.length;
    const token = this.#takeTokens(1);
    const left = this.#native.put(
      good.map(([key]) => key),
      good.map(([, value]) => value),
      token,
    );
    if (left === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#puts.set(token, { left, resolve });
      this.#await(1);
      this.#spin.begin(false);
      this.#scheduleSend();
    });
  }

  deleteMany(keys: readonly Buffer[]): Promise<void> {
    this.#native.delete(keys);
    return Promise.resolve();
  }

  stats(): SealedCacheStats {
    const [hits, misses, puts, rejected, evictions, tampered, moved, entries, bytes, capacity, metadata] =
      this.#native.stats() as unknown as readonly number[] & { readonly length: 11 };
    return {
      hits: hits!,
      misses: misses!,
      puts: puts! + this.#rejected,
      rejected: rejected! + this.#rejected,
      evictions: evictions!,
      tampered: tampered!,
      moved: moved!,
      entries: entries!,
      bytes: bytes!,
      capacityBytes: capacity!,
      metadataBytes: metadata!,
    };
  }

  #takeTokens(count: number): number {
    if (this.#nextToken > tokensMax) this.#nextToken = 1;
    const first = this.#nextToken;
    this.#nextToken += Math.max(1, count);
    return first;
  }

  /** What is asked for in one turn of the event loop leaves together. */
  #scheduleSend(): void {
    if (this.#sendScheduled) return;
    this.#sendScheduled = true;
    process.nextTick(() => {
      this.#sendScheduled = false;
      this.#native.send();
    });
  }

  #await(change: 1 | -1): void {
    const before = this.#awaited;
    this.#awaited += change;
    if (before === 0 || this.#awaited === 0) this.#native.keepAlive(this.#awaited > 0);
  }

  #receive(count: number, block?: Buffer): void {
    let at = 0;
    let settled = 0;
    for (let index = 0; index < count; index++) {
      const token = this.#words[2 * index]!;
      const length = this.#words[2 * index + 1]!;
      const from = at;
      if (length > 0) at += length;
      settled += this.#settle(token, length, block, from);
    }
    this.#spin.delivered(settled);
  }

  /** @returns calls that are over by it. */
  #settle(token: number, length: number, block: Buffer | undefined, from: number): number {
    if (length === putDone) return this.#settlePut(token);
    const call = this.#calls.get(token);
    if (call === undefined) return 0;
    this.#calls.delete(token);
    if (length >= 0) {
      call.values[token - call.firstToken] =
        length === 0 ? Buffer.alloc(0) : block!.subarray(from, from + length);
    }
    if (--call.left > 0) return 0;
    this.#await(-1);
    call.resolve(call.values);
    return 1;
  }

  #settlePut(token: number): number {
    const put = this.#puts.get(token);
    if (put === undefined || --put.left > 0) return 0;
    this.#puts.delete(token);
    this.#await(-1);
    put.resolve();
    return 1;
  }
}
