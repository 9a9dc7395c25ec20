/**
 * A {@link RemoteCache} as a storage adapter for `keyv`, and so for `cache-manager`, whose stores are Keyv instances.
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { RemoteCache } from './remote-cache.js';

interface KeyvEntry {
  readonly key: string;
  readonly value: string;
  readonly ttl?: number;
}

/**
 * A storage adapter for `keyv` over a {@link RemoteCache}.
 *
 * @example
 * const keyv = new Keyv({ store: new KeyvStore(cache) });
 * await keyv.set('key', { any: 'value' }, 60_000);
 */
export class KeyvStore extends EventEmitter {
  /** Keyv requires it; there are no options. */
  readonly opts = {};
  namespace?: string;
  readonly #cache: RemoteCache;
  /** The prefix of all keys. `clear` changes it: values under the old prefix are never found again, and are evicted. */
  #generation = randomUUID();

  constructor(cache: RemoteCache) {
    super();
    this.#cache = cache;
  }

  async get<Value>(key: string): Promise<Value | undefined> {
    return (await this.getMany<Value>([key]))[0];
  }

  /** Reads strings; Keyv serializes values itself. */
  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    const found = await this.#cache.getMany(keys.map((key) => this.#name(key)));
    return found.map((value) => value?.toString() as Value | undefined);
  }

  /** @param ttl the time to live in milliseconds. */
  async set(key: string, value: string, ttl?: number): Promise<void> {
    await this.#cache.set(this.#name(key), value, { ttlMs: ttl });
  }

  async setMany(entries: KeyvEntry[]): Promise<void> {
    await Promise.all(entries.map(({ key, value, ttl }) => this.set(key, value, ttl)));
  }

  /** @returns whether the key had a value. */
  async delete(key: string): Promise<boolean> {
    return this.deleteMany([key]);
  }

  async deleteMany(keys: string[]): Promise<boolean> {
    const were = await this.hasMany(keys);
    await this.#cache.deleteMany(keys.map((key) => this.#name(key)));
    return were.some(Boolean);
  }

  async has(key: string): Promise<boolean> {
    return (await this.hasMany([key]))[0]!;
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    const found = await this.#cache.getMany(keys.map((key) => this.#name(key)));
    return found.map((value) => value !== undefined);
  }

  clear(): Promise<void> {
    this.#generation = randomUUID();
    return Promise.resolve();
  }

  disconnect(): Promise<void> {
    return this.#cache.close();
  }

  #name(key: string): string {
    return `${this.#generation}:${key}`;
  }
}
