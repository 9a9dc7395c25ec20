/** Leased memory as one cache: the keeper's slabs hold the sealed values. */
import { SealedCache, SlabSession } from '@exopool/native';
import type { CacheTier } from '@exopool/shared';
import { LeaseKeeper, type LeaseKeeperDependencies, type LeaseUser } from './lease-keeper.js';
import type { ConsumerStats, LeaseInfo, RemoteMemoryOptions } from './remote-memory.types.js';

/** What tests replace. */
export interface RemoteMemoryDependencies extends LeaseKeeperDependencies {
  readonly connect: typeof SlabSession.connect;
}

export class RemoteMemory {
  readonly #cache: SealedCache;
  readonly #keeper: LeaseKeeper<SlabSession>;

  private constructor(cache: SealedCache, keeper: LeaseKeeper<SlabSession>) {
    this.#cache = cache;
    this.#keeper = keeper;
  }

  /**
   * Takes the first leases and opens their sessions.
   * @throws ExopoolError `EXOPOOL_NO_MEMORY`, or why the broker or producers cannot be reached, when fewer than
   * `minimumSlabs` could be opened; nothing stays leased then.
   */
  static async open(
    options: RemoteMemoryOptions,
    { connect, ...by }: Partial<RemoteMemoryDependencies> = {},
  ): Promise<RemoteMemory> {
    const cache = new SealedCache(options.seal === undefined ? {} : { mode: options.seal });
    const user: LeaseUser<SlabSession> = {
      connect: (target) => (connect ?? ((to) => SlabSession.connect(to)))(target),
      addMemory: (session) => cache.addMemory(session),
      removeMemory: (session) => cache.removeMemory(session),
    };
    const keeper = await LeaseKeeper.open(user, options, by);
    cache.onLies((session) => keeper.distrust(session));
    return new RemoteMemory(cache, keeper);
  }

  get tier(): CacheTier {
    return this.#cache;
  }

  leases(): LeaseInfo[] {
    return this.#keeper.leases();
  }

  stats(): ConsumerStats {
    return { tier: this.#cache.stats(), ...this.#keeper.stats() };
  }

  /** Gives every lease back. What cannot be given back ends by itself. Idempotent. */
  close(): Promise<void> {
    return this.#keeper.close();
  }
}
