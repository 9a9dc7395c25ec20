/** For tests: a tier in a Map, that answers when it is told to and forgets when it is told to. */
import type { CacheTier, CacheTierStats } from '@exopool/shared';

export class LossyTier implements CacheTier {
  readonly #values = new Map<string, Buffer>();
  readonly #settle: <T>(value: T) => Promise<T>;

  constructor(settle: <T>(value: T) => Promise<T> = (value) => Promise.resolve(value)) {
    this.#settle = settle;
  }

  get size(): number {
    return this.#values.size;
  }

  loseAll(): void {
    this.#values.clear();
  }

  /** As the sealed cache: what was deleted meanwhile is not found. */
  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    const names = keys.map((key) => key.toString('latin1'));
    const found = await this.#settle(names.map((name) => this.#values.get(name)));
    return found.map((value, index) => (this.#values.get(names[index]!) === value ? value : undefined));
  }

  mayHold(key: Buffer): boolean {
    return this.#values.has(key.toString('latin1'));
  }

  async putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    for (const [key, value] of entries) this.#values.set(key.toString('latin1'), value);
    await this.#settle(undefined);
  }

  deleteMany(keys: readonly Buffer[]): Promise<void> {
    for (const key of keys) this.#values.delete(key.toString('latin1'));
    return Promise.resolve();
  }

  stats(): CacheTierStats {
    const zeros = { hits: 0, misses: 0, puts: 0, rejected: 0, evictions: 0, tampered: 0, capacityBytes: 0 };
    return { ...zeros, entries: this.#values.size, bytes: 0 };
  }
}
