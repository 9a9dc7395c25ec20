/**
 * Leased memory as a cache with times to live, for programs: `await using cache = await RemoteCache.open({ broker })`.
 *
 * It is a cache: a value may be gone at any time, and nothing here fails for that.
 */
import { EventEmitter } from 'node:events';
import { ExopoolError, type CacheTier } from '@exopool/shared';
import type { ConsumerSettings } from '../consumer/config.js';
import { runConsumer } from '../consumer/consumer.js';
import { decodeValue, encodeValue } from './stored-value.js';

/** How often the size of the leased memory is looked at, for the events. */
const watchMs = 1000;

export interface RemoteCacheEvents {
  /** The leased memory has grown or shrunk to so many bytes. */
  capacity: [bytes: number];
  /** So many more values were not what had been stored: a producer lies. Each was a miss. */
  tampered: [values: number];
}

export interface SetOptions {
  /** Milliseconds until the value is none any more; default: until there is no room for it. */
  readonly ttlMs?: number | undefined;
}

export class RemoteCache extends EventEmitter<RemoteCacheEvents> {
  /** The leased memory itself: what a `Store` of @exopool/bpf-storage takes. Its keys are not this cache's. */
  readonly tier: CacheTier;
  readonly #close: () => Promise<void>;
  readonly #watch: NodeJS.Timeout;
  #capacityBytes: number;
  #tampered: number;

  /** Over any tier; `close` is called when the cache is closed. */
  constructor(tier: CacheTier, close: () => Promise<void> = () => Promise.resolve()) {
    super();
    this.tier = tier;
    this.#close = close;
    ({ capacityBytes: this.#capacityBytes, tampered: this.#tampered } = tier.stats());
    this.#watch = setInterval(() => this.#look(), watchMs).unref();
  }

  /**
   * Leases memory by the settings of `exopool consumer`.
   * @throws ExopoolError `EXOPOOL_CONFIG` for a setting that is none, else as {@link runConsumer}.
   */
  static async open(settings: ConsumerSettings = {}): Promise<RemoteCache> {
    const consumer = await runConsumer(settings);
    return new RemoteCache(consumer.tier, () => consumer.close());
  }

  /** `undefined`: not here, or not any more. */
  async get(key: string | Buffer): Promise<Buffer | undefined> {
    return (await this.getMany([key]))[0];
  }

  /** One result a key, in order. Values that arrive together share an allocation. */
  async getMany(keys: readonly (string | Buffer)[]): Promise<(Buffer | undefined)[]> {
    const stored = await this.tier.getMany(keys.map(toKey));
    const nowMs = Date.now();
    return stored.map((each) => decodeValue(each, nowMs));
  }

  /**
   * Resolves when the value is stored, or was not admitted.
   * @throws ExopoolError `EXOPOOL_INVALID` for a time to live that is not positive.
   */
  set(key: string | Buffer, value: string | Buffer, options: SetOptions = {}): Promise<void> {
    return this.setMany([[key, value]], options);
  }

  /** As {@link set}. */
  async setMany(
    entries: readonly (readonly [key: string | Buffer, value: string | Buffer])[],
    { ttlMs }: SetOptions = {},
  ): Promise<void> {
    if (ttlMs !== undefined && !(ttlMs > 0))
      throw new ExopoolError('EXOPOOL_INVALID', `a time to live is a positive number of ms, not ${ttlMs}`);
    const expiresAtMs = ttlMs === undefined || ttlMs === Number.POSITIVE_INFINITY ? 0 : Date.now() + ttlMs;
    await this.tier.putMany(
      entries.map(([key, value]) => [toKey(key), encodeValue(Buffer.from(value), expiresAtMs)] as const),
    );
  }

  delete(key: string | Buffer): Promise<void> {
    return this.deleteMany([key]);
  }

  /** Once it resolves, nothing returns a value that these keys had before. */
  deleteMany(keys: readonly (string | Buffer)[]): Promise<void> {
    return this.tier.deleteMany(keys.map(toKey));
  }

  /** Gives the leases back. */
  async close(): Promise<void> {
    clearInterval(this.#watch);
    await this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #look(): void {
    const { capacityBytes, tampered } = this.tier.stats();
    if (capacityBytes !== this.#capacityBytes) this.emit('capacity', capacityBytes);
    if (tampered > this.#tampered) this.emit('tampered', tampered - this.#tampered);
    [this.#capacityBytes, this.#tampered] = [capacityBytes, tampered];
  }
}

function toKey(key: string | Buffer): Buffer {
  return typeof key === 'string' ? Buffer.from(key) : key;
}
