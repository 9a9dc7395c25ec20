/**
 * A cache over leased memory: the index is local, the sealed values are remote (addon/cache/sealed_cache.hh).
 *
 *   gets of one turn of the event loop -> one crossing at its end: look up, frame, send
 *              (network) -> the client's native thread receives and opens -> one call for all answers that are there
 *
 * A program that asks for one value after the other waits for each. Other threads gain nothing then, and waking one takes
 * longer than the answer. Such a call is sent at once, and this thread awaits the answer for some microseconds
 * (`spinMicroseconds`). It does so only while that succeeds and nothing else is in flight. The event loop gets its turn
 * after a millisecond at the latest.
 */
import { availableParallelism } from 'node:os';
import { ExopoolError, type CacheTier, type CacheTierStats } from '@exopool/shared';
import { cacheAnswersMax, cacheCode, cacheStats, cacheWord, sealModes } from '../contracts.js';
import { loadBinding } from '../load-binding.js';
import { ReadBatch } from './read-batch.js';
import type { SlabSession } from '../slab/slab-client.js';
import { SpinPolicy } from '../slab/spin-policy.js';

/** How values are sealed before a producer gets them; addon/cache/value_seal.hh tells what each mode hides and detects. */
export type SealMode = (typeof sealModes)[number];

/** Longest key, bytes. Keys are only hashed; a put with a longer key is rejected. */
export const cacheKeyBytesMax = 4096;

/**
 * A request and its answer take 20 µs over loopback when neither end sleeps. A server that has slept needs up to 100 µs
 * more on a virtual machine. Giving up before that puts both ends to sleep, and then each get takes 180 µs.
 */
const defaultSpinMicroseconds = 200;
/** Batches are numbered in 31 bits. When numbers start over at 1, batches with low numbers ended long ago. */
const batchesMax = 2 ** 30;
/**
 * Changed values of one session after which its producer counts as malicious. One or two may be failing memory.
 */
export const tamperedMax = 16;
/** The buffer for the lookup's answers starts with room for so many keys. */
const hereFirst = 1024;
const noValue = Buffer.alloc(0);

/** Counters of a sealed cache. */
export interface SealedCacheStats extends CacheTierStats {
  /** Values that were written again elsewhere: they were in use in a segment that was freed. */
  readonly moved: number;
  /** Local memory for index, segments and lately evicted keys, bytes. */
  readonly metadataBytes: number;
}

/** How values are sealed, and how long calls spin. */
export interface SealedCacheOptions {
  /** Default 'aes-128-gcm'. */
  readonly mode?: SealMode;
  /** Default {@link tamperedMax}. */
  readonly tamperedMax?: number;
  /** How long a call waits on this thread for its answer. Default 200; 0 on a machine with one processor. */
  readonly spinMicroseconds?: number;
}

interface NativeSealedCache {
  addRegion(session: number, slabs: number, slabBytes: number): boolean;
  removeRegion(session: number): void;
  removeSlabs(session: number, slabs: Uint32Array): void;
  tamperedOf(session: number): number;
  vacate(session: number, count: number): Uint32Array;
  get(keys: readonly Buffer[], batch: number, here: Uint8Array): number;
  put(keys: readonly Buffer[], values: readonly Buffer[], batch: number): number;
  delete(keys: readonly Buffer[]): void;
  mayHold(key: Buffer): boolean;
  send(): void;
  sendAndWait(microseconds: number): boolean;
  keepAlive(yes: boolean): void;
  /** By `cacheStats`. */
  stats(): Float64Array;
}

interface SealedCacheBinding {
  readonly SealedCache: new (
    mode: number,
    receive: (answers: number, values?: Buffer) => void,
    words: Int32Array,
  ) => NativeSealedCache;
}

/**
 * A cache tier whose values lie sealed in leased memory. Without memory every get is a miss.
 * @example
 * ```ts
 * import { SealedCache, type SlabSession } from '@exopool/native/internal';
 *
 * declare const session: SlabSession;
 * const cache = new SealedCache();
 * cache.addMemory(session);
 * session.onLost(() => cache.removeMemory(session));
 * await cache.putMany([[Buffer.from('key'), Buffer.from('value')]]);
 * console.log(await cache.get(Buffer.from('key')));
 * ```
 */
export class SealedCache implements CacheTier {
  readonly #native: NativeSealedCache;
  readonly #spin: SpinPolicy;
  readonly #tamperedMax: number;
  readonly #sessions = new Set<SlabSession>();
  #onLies: (session: SlabSession) => void = () => undefined;
  readonly #words = new Int32Array(cacheWord.words * cacheAnswersMax);
  readonly #reads = new Map<number, ReadBatch>();
  readonly #puts = new Map<number, { left: number; readonly resolve: () => void }>();
  #here = new Uint8Array(hereFirst);
  /** Gets that have not crossed yet. */
  #gathering: ReadBatch | undefined;
  #nextBatch = 1;
  #sendScheduled = false;
  #awaited = 0;
  #rejected = 0;

  /** @throws ExopoolError `EXOPOOL_INVALID` for an unknown mode, `EXOPOOL_NATIVE` without the addon. */
  constructor({ mode = 'aes-128-gcm', spinMicroseconds, tamperedMax: most }: SealedCacheOptions = {}) {
    const number = sealModes.indexOf(mode);
    if (number < 0)
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        `there is no seal mode ${mode}; use one of: ${sealModes.join(', ')}`,
      );
    this.#tamperedMax = most ?? tamperedMax;
    this.#spin = new SpinPolicy(
      spinMicroseconds ?? (availableParallelism() > 1 ? defaultSpinMicroseconds : 0),
    );
    const { SealedCache: Native } = loadBinding() as unknown as SealedCacheBinding;
    this.#native = new Native(number, (count, values) => this.#receive(count, values), this.#words);
  }

  /**
   * Uses a session's slabs until {@link removeMemory}, which the caller must call when the session is lost. Until then its
   * values are misses. When the producer wants slabs back, the cache moves values in use out of the coldest slabs, and
   * releases those.
   */
  addMemory(session: SlabSession): void {
    if (this.#sessions.has(session)) return;
    if (!this.#native.addRegion(session.number, session.slabs, session.slabBytes)) return;
    this.#sessions.add(session);
    session.onGone((slabs) => this.#native.removeSlabs(session.number, Uint32Array.from(slabs)));
    session.onReclaim((slabs) => {
      if (!this.#sessions.has(session)) return;
      for (const slab of this.#native.vacate(session.number, slabs)) void session.releaseSlab(slab);
    });
  }

  /** Forgets a session's slabs, with every value in them, at once. */
  removeMemory(session: SlabSession): void {
    if (this.#sessions.delete(session)) this.#native.removeRegion(session.number);
  }

  /** Calls back when a session's producer changed too many values. Its memory is not used any more. */
  onLies(callback: (session: SlabSession) => void): void {
    this.#onLies = callback;
  }

  /**
   * One value; `undefined` on a miss. The caller must not change the key's bytes in this turn of the event loop. Values
   * that arrive together share an allocation: copy a value to keep it for long.
   */
  get(key: Buffer): Promise<Buffer | undefined> {
    const isFirst = this.#gathering === undefined;
    const value = (this.#gathering ??= new ReadBatch()).add(key);
    this.#begin(isFirst);
    return value;
  }

  /** One result for each key, in order; as {@link get}. */
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    if (keys.length === 0) return Promise.resolve([]);
    const isFirst = this.#gathering === undefined;
    const values = (this.#gathering ??= new ReadBatch()).addMany(keys);
    this.#begin(isFirst);
    return values;
  }

  mayHold(key: Buffer): boolean {
    return this.#native.mayHold(key);
  }

  /** Seals values and places them at once. Resolves when their producers have them, or are lost. */
  putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    const good = entries.filter(([key]) => key.length <= cacheKeyBytesMax);
    this.#rejected += entries.length - good.length;
    const batch = this.#takeNumber();
    const left = this.#native.put(
      good.map(([key]) => key),
      good.map(([, value]) => value),
      batch,
    );
    if (left === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#puts.set(batch, { left, resolve });
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
    const numbers = this.#native.stats();
    const stats = Object.fromEntries(cacheStats.map((name, at) => [name, numbers[at]!]));
    const { puts, rejected, ...others } = stats as Record<(typeof cacheStats)[number], number>;
    return { ...others, puts: puts + this.#rejected, rejected: rejected + this.#rejected };
  }

  /** The gets of a call are in the batch. They cross at once when waiting here pays, else together with others. */
  #begin(isFirst: boolean): void {
    const isAlone = isFirst && this.#awaited === 0 && !this.#sendScheduled;
    if (!this.#spin.begin(isAlone)) {
      this.#scheduleSend();
      return;
    }
    const batch = this.#cross();
    if (batch === undefined || batch.left === 0) return;
    this.#spin.end(this.#native.sendAndWait(this.#spin.microseconds) && batch.left === 0);
  }

  /** Looks the gathered keys up. Misses are answered, all others are framed. */
  #cross(): ReadBatch | undefined {
    const batch = this.#gathering;
    if (batch === undefined) return undefined;
    this.#gathering = undefined;
    const { keys } = batch;
    if (this.#here.length < keys.length) this.#here = new Uint8Array(2 * keys.length);
    const here = this.#here;
    const number = this.#takeNumber();
    const left = this.#native.get(keys, number, here);
    if (left > 0) {
      this.#reads.set(number, batch);
      this.#await(1);
    }
    for (let index = 0; left < keys.length && index < keys.length; index++) {
      if (here[index] === 0) batch.settle(index, undefined);
    }
    return batch;
  }

  #takeNumber(): number {
    if (this.#nextBatch > batchesMax) this.#nextBatch = 1;
    return this.#nextBatch++;
  }

  /** Sends all requests of this turn of the event loop together. */
  #scheduleSend(): void {
    if (this.#sendScheduled) return;
    this.#sendScheduled = true;
    process.nextTick(() => {
      this.#sendScheduled = false;
      this.#cross();
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
    let isTampered = false;
    for (let word = 0; word < count * cacheWord.words; word += cacheWord.words) {
      const number = this.#words[word + cacheWord.batch]!;
      const length = this.#words[word + cacheWord.length]!;
      if (length === cacheCode.putDone) {
        settled += this.#settlePut(number);
        continue;
      }
      let value: Buffer | undefined;
      if (length > 0) value = block!.subarray(at, (at += length));
      else if (length === 0) value = noValue;
      isTampered ||= length === cacheCode.tamperedWith;
      settled += this.#settleRead(number, this.#words[word + cacheWord.place]!, value);
    }
    this.#spin.delivered(settled);
    if (isTampered) this.#dropLiars();
  }

  #dropLiars(): void {
    for (const session of this.#sessions) {
      if (this.#native.tamperedOf(session.number) < this.#tamperedMax) continue;
      this.removeMemory(session);
      this.#onLies(session);
    }
  }

  /** @returns the number of calls that this ended. */
  #settleRead(number: number, index: number, value: Buffer | undefined): number {
    const batch = this.#reads.get(number);
    if (batch === undefined) return 0;
    const calls = batch.settle(index, value);
    if (batch.left === 0) {
      this.#reads.delete(number);
      this.#await(-1);
    }
    return calls;
  }

  #settlePut(number: number): number {
    const put = this.#puts.get(number);
    if (put === undefined || --put.left > 0) return 0;
    this.#puts.delete(number);
    this.#await(-1);
    put.resolve();
    return 1;
  }
}
