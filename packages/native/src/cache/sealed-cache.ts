/**
 * A cache over leased memory: the index is here, the values are sealed and far away (addon/cache/sealed_cache.hh).
 *
 *   gets of one turn of the event loop -> one crossing at its end: look up, frame, send
 *              (network) -> the client's native thread receives and opens -> one call for all that is there
 *
 * A program that asks for one value after the other waits for each, so there is nothing to gain from other threads, and
 * waking one costs more than the answer takes. Such a call is sent at once, and the answer awaited on this thread for
 * some microseconds (`spinMicroseconds`): only while that succeeds, only when nothing else is under way, and the event
 * loop gets its turn after a millisecond at the latest.
 */
import { availableParallelism } from 'node:os';
import { ExopoolError, type CacheTier, type CacheTierStats } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';
import { ReadBatch } from './read-batch.js';
import type { SlabSession } from '../slab/slab-client.js';
import { SpinPolicy } from '../slab/spin-policy.js';

/** How values are sealed before a producer gets them; addon/cache/value_seal.hh says what each hides and detects. */
export const sealModes = ['off', 'integrity', 'aes-128-gcm', 'paper'] as const;
export type SealMode = (typeof sealModes)[number];

/** Keys are only hashed; longer ones are no keys. */
export const cacheKeyBytesMax = 4096;

/** Answers of one delivery: SealedCacheObject::kDeliveryAnswers. */
const deliveryAnswers = 64;
/**
 * A request and its answer take 20 µs over loopback when neither end sleeps. A server that has slept needs up to 100 more
 * on a virtual machine; giving up before that puts both ends to sleep, and then each get takes 180.
 */
const defaultSpinMicroseconds = 200;
/** Of an answer: its batch, its place there, and the value's length or one of those below, or -1 for a miss. */
const answerWords = 3;
const putDone = -2;
const tamperedWith = -3;
/** Batches are numbered in 31 bits, from 1 on again long before none of the old ones can be under way. */
const batchesMax = 2 ** 30;
/**
 * Values of one session that were not what had been stored, until its producer is taken for a liar. One or two may be
 * memory that fails without anybody's will.
 */
export const tamperedMax = 16;
/** Keys of which the lookup says at once whether they are here: room for so many at first. */
const hereFirst = 1024;
const noValue = Buffer.alloc(0);

export interface SealedCacheStats extends CacheTierStats {
  /** Values that were written again elsewhere, because they were in use where room was made. */
  readonly moved: number;
  /** Local memory: index, segments, keys that were evicted lately. */
  readonly metadataBytes: number;
}

export interface SealedCacheOptions {
  /** Default 'aes-128-gcm'. */
  readonly mode?: SealMode;
  /** Default {@link tamperedMax}. */
  readonly tamperedMax?: number;
  /** How long a call waits on this thread for its answer; default 200, and 0 with a single processor. */
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
  stats(): Float64Array;
}

interface SealedCacheBinding {
  readonly SealedCache: new (
    mode: number,
    receive: (answers: number, values?: Buffer) => void,
    words: Int32Array,
  ) => NativeSealedCache;
}

export class SealedCache implements CacheTier {
  readonly #native: NativeSealedCache;
  readonly #spin: SpinPolicy;
  readonly #tamperedMax: number;
  readonly #sessions = new Set<SlabSession>();
  #onLies: (session: SlabSession) => void = () => undefined;
  readonly #words = new Int32Array(answerWords * deliveryAnswers);
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
    if (number < 0) throw new ExopoolError('EXOPOOL_INVALID', `no seal mode ${mode}`);
    this.#tamperedMax = most ?? tamperedMax;
    this.#spin = new SpinPolicy(
      spinMicroseconds ?? (availableParallelism() > 1 ? defaultSpinMicroseconds : 0),
    );
    const { SealedCache: Native } = loadBinding() as unknown as SealedCacheBinding;
    this.#native = new Native(number, (count, values) => this.#receive(count, values), this.#words);
  }

  /**
   * Uses a session's slabs until {@link removeMemory}. Whoever listens for the session's loss must call that then; until
   * it does, values of a lost session are misses. Slabs that the producer wants back are given back: those that are used
   * least, after what is in use in them was moved.
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

  /** Forgets a session's slabs, and at once every value in them. */
  removeMemory(session: SlabSession): void {
    if (this.#sessions.delete(session)) this.#native.removeRegion(session.number);
  }

  /** Calls back when a session's producer changed as many values as it may; its memory is not used any more. */
  onLies(callback: (session: SlabSession) => void): void {
    this.#onLies = callback;
  }

  /**
   * One value, `undefined` when it is not here. The key's bytes must stay as they are until this turn of the event loop
   * is over. Values that arrive together share an allocation: copy one to keep it alone for long.
   */
  get(key: Buffer): Promise<Buffer | undefined> {
    const isFirst = this.#gathering === undefined;
    const value = (this.#gathering ??= new ReadBatch()).add(key);
    this.#begin(isFirst);
    return value;
  }

  /** One result a key, in order; as {@link get}. */
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

  /** Values are sealed and their places decided at once; resolves when producers have them, or are lost. */
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

  /** A call's gets are in the batch: they cross at once when it pays to wait for them here, else with others. */
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

  /** Looks up what was gathered. What is not here is answered, the rest is framed. */
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

  /** What is asked for in one turn of the event loop leaves together. */
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
    for (let word = 0; word < count * answerWords; word += answerWords) {
      const number = this.#words[word]!;
      const length = this.#words[word + 2]!;
      if (length === putDone) {
        settled += this.#settlePut(number);
        continue;
      }
      let value: Buffer | undefined;
      if (length > 0) value = block!.subarray(at, (at += length));
      else if (length === 0) value = noValue;
      isTampered ||= length === tamperedWith;
      settled += this.#settleRead(number, this.#words[word + 1]!, value);
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

  /** @returns calls that are over by it. */
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
