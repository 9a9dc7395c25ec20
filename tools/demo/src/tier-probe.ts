/**
 * Tells which tier served each read: a layer around the remote tier that sees each key that reaches it.
 *
 *   store.get(key) --memory hit--> done, the probe has not seen the key
 *                  --miss--> probe --hit--> 'remote'
 *                                  --miss--> table: 'store'
 *
 * With `enabled` off it is an empty tier: every look-up misses, and nothing is kept. So both halves of the comparison
 * run the same code and differ only in the remote memory.
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

  /** The tier that served the read of `key`, which has just ended. */
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

  /** Deletes also while the tier is off, so that no stale value can return later. */
  deleteMany(keys: readonly Buffer[]): Promise<void> {
    return this.#tier.deleteMany(keys);
  }

  stats(): CacheTierStats {
    return this.#tier.stats();
  }
}
