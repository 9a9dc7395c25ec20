/**
 * Tells, for each read, which tier served it: a layer around the remote tier that sees what reaches it.
 *
 *   store.get(key) --memory hit--> done, the probe has not seen the key
 *                  --miss--> probe --hit--> 'remote'
 *                                  --miss--> table: 'store'
 *
 * With `enabled` off it is an empty tier: the same path, but every look-up misses and nothing is kept. So both
 * halves of the comparison run the same code, and differ in the remote memory alone.
 */
import type { CacheTier, CacheTierStats } from '@exopool/shared';
import type { Tier } from './statistics.js';

export class TierProbe implements CacheTier {
  enabled = false;
  readonly #tier: CacheTier;
  readonly #seen = new Map<string, Tier>();

  constructor(tier: CacheTier) {
    this.#tier = tier;
  }

  /** Where the read of `key`, which has just ended, was served from. */
  takeTier(key: Buffer): Tier {
    const name = key.toString('latin1');
    const tier = this.#seen.get(name);
    this.#seen.delete(name);
    return tier ?? 'memory';
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    const values = this.enabled ? await this.#tier.getMany(keys) : keys.map(() => undefined);
    keys.forEach((key, index) => {
      this.#seen.set(key.toString('latin1'), values[index] === undefined ? 'store' : 'remote');
    });
    return values;
  }

  async putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    if (this.enabled) await this.#tier.putMany(entries);
  }

  /** Deletes also while the tier is off: what is stale must not come back later. */
  deleteMany(keys: readonly Buffer[]): Promise<void> {
    return this.#tier.deleteMany(keys);
  }

  stats(): CacheTierStats {
    return this.#tier.stats();
  }
}
