/** A tier that reports its requests to a {@link DemandSampler}. */
import type { CacheTier, CacheTierStats } from '@exopool/shared';
import type { DemandSampler } from './demand-sampler.js';

export class SampledTier implements CacheTier {
  readonly #tier: CacheTier;
  readonly #demand: DemandSampler;

  constructor(tier: CacheTier, demand: DemandSampler) {
    this.#tier = tier;
    this.#demand = demand;
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    const startMs = performance.now();
    const values = await this.#tier.getMany(keys);
    keys.forEach((key, index) => this.#demand.use(key, values[index]?.length));
    if (values.some((value) => value !== undefined)) this.#demand.hit((performance.now() - startMs) / 1000);
    return values;
  }

  mayHold(key: Buffer): boolean {
    const holds = this.#tier.mayHold?.(key) ?? true;
    // After a "no" the caller does not read, so this counts as a request and a miss.
    if (!holds) this.#demand.use(key);
    return holds;
  }

  putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    for (const [key, value] of entries) this.#demand.put(key, value.length);
    return this.#tier.putMany(entries);
  }

  deleteMany(keys: readonly Buffer[]): Promise<void> {
    return this.#tier.deleteMany(keys);
  }

  stats(): CacheTierStats {
    return this.#tier.stats();
  }
}
