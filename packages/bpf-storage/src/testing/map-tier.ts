import type { CacheTier, CacheTierStats } from '@exopool/shared';

/** When a step of a call takes place; a test may put the steps of many calls in any order. */
export type Step = () => Promise<void>;

/** A cache tier over a Map, whose calls take effect and return when the test lets them. */
export class MapTier implements CacheTier {
  readonly map = new Map<string, Buffer>();
  calls = { getMany: 0, putMany: 0, deleteMany: 0 };

  constructor(private readonly step: Step = () => Promise.resolve()) {}

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    this.calls.getMany += 1;
    await this.step();
    const values = keys.map((key) => this.map.get(key.toString('latin1')));
    await this.step();
    return values;
  }

  async putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    this.calls.putMany += 1;
    await this.step();
    for (const [key, value] of entries) this.map.set(key.toString('latin1'), value);
    await this.step();
  }

  async deleteMany(keys: readonly Buffer[]): Promise<void> {
    this.calls.deleteMany += 1;
    await this.step();
    for (const key of keys) this.map.delete(key.toString('latin1'));
    await this.step();
  }

  stats(): CacheTierStats {
    const none = { hits: 0, misses: 0, puts: 0, rejected: 0, evictions: 0, tampered: 0, bytes: 0 };
    return { ...none, entries: this.map.size, capacityBytes: Infinity };
  }
}

/** One that knows at once what it holds. */
export class IndexedTier extends MapTier {
  mayHold(key: Buffer): boolean {
    return this.map.has(key.toString('latin1'));
  }
}
