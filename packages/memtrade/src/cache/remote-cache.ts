/**
 * Leased memory as a cache with times to live, for programs.
 *
 * A value may be gone at any time, which is a miss and never an error.
 */
import { EventEmitter } from 'node:events';
import { ExopoolError, type CacheTier } from '@exopool/shared';
import type { ConsumerSettings } from '../consumer/config.js';
import { runConsumer } from '../consumer/consumer.js';
import { decodeValue, encodeValue } from './stored-value.js';

/** The interval at which changes are checked for events. */
const watchMs = 1000;

/** The events of a {@link RemoteCache}. */
export interface RemoteCacheEvents {
  /** The size of the leased memory changed to so many bytes. */
  capacity: [bytes: number];
  /** A producer changed so many more values. Each of them was a miss. */
  tampered: [values: number];
}

/** Options of a write. */
export interface SetOptions {
  /** The time to live in milliseconds; by default a value lives until it is evicted. */
  readonly ttlMs?: number | undefined;
}

/**
 * A cache in leased memory, with times to live.
 *
 * @example
 * await using cache = await RemoteCache.open({ broker: 'market.example.org:7600', caFile: 'ca.pem', slabs: 4 });
 * await cache.set('key', 'value', { ttlMs: 60_000 });
 * const value = await cache.get('key'); // a Buffer, or undefined
 */
export class RemoteCache extends EventEmitter<RemoteCacheEvents> {
  /** The tier below, without times to live. A `Store` of @exopool/bpf-storage takes it as its remote tier. */
  readonly tier: CacheTier;
  readonly #close: () => Promise<void>;
  readonly #watch: NodeJS.Timeout;
  #capacityBytes: number;
  #tampered: number;

  /** Makes a cache over any tier; closing the cache calls `close`. */
  constructor(tier: CacheTier, close: () => Promise<void> = () => Promise.resolve()) {
    super();
    this.tier = tier;
    this.#close = close;
    ({ capacityBytes: this.#capacityBytes, tampered: this.#tampered } = tier.stats());
    this.#watch = setInterval(() => this.#look(), watchMs).unref();
  }

  /**
   * Leases memory by the settings of `exopool consumer`.
   * @throws ExopoolError as {@link runConsumer} does.
   */
  static async open(settings: ConsumerSettings = {}): Promise<RemoteCache> {
    const consumer = await runConsumer(settings);
    return new RemoteCache(consumer.tier, () => consumer.close());
  }

  /** Reads a value; `undefined` for a miss. */
  async get(key: string | Buffer): Promise<Buffer | undefined> {
    return (await this.getMany([key]))[0];
  }

  /** Reads values, one result for each key, in order. Values that arrive together share an allocation. */
  async getMany(keys: readonly (string | Buffer)[]): Promise<(Buffer | undefined)[]> {
    const stored = await this.tier.getMany(keys.map(toKey));
    const nowMs = Date.now();
    return stored.map((each) => decodeValue(each, nowMs));
  }

  /**
   * Writes a value. Resolves when it is stored, or when it was not admitted.
   * @throws ExopoolError `EXOPOOL_INVALID` for a time to live that is not positive.
   */
  set(key: string | Buffer, value: string | Buffer, options: SetOptions = {}): Promise<void> {
    return this.setMany([[key, value]], options);
  }

  /** Writes values, as {@link set} does. */
  async setMany(
    entries: readonly (readonly [key: string | Buffer, value: string | Buffer])[],
    { ttlMs }: SetOptions = {},
  ): Promise<void> {
    if (ttlMs !== undefined && !(ttlMs > 0))
      throw new ExopoolError('EXOPOOL_INVALID', `the time to live is ${ttlMs} ms: give a positive number`);
    const expiresAtMs = ttlMs === undefined || ttlMs === Number.POSITIVE_INFINITY ? 0 : Date.now() + ttlMs;
    await this.tier.putMany(
      entries.map(([key, value]) => [toKey(key), encodeValue(Buffer.from(value), expiresAtMs)] as const),
    );
  }

  delete(key: string | Buffer): Promise<void> {
    return this.deleteMany([key]);
  }

  /** Deletes values. Once it resolves, no read returns a value that these keys had before. */
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
