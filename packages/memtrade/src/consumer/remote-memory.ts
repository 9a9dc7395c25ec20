/** Leased memory as one cache: the slabs of the lease keeper hold sealed values. */
import { SealedCache, SlabSession, type SealMode } from '@exopool/native/internal';
import type { CacheTier } from '@exopool/shared';
import { CopiedMemory } from './copied-memory.js';
import { LeaseKeeper, type LeaseKeeperDependencies, type LeaseUser } from './lease-keeper.js';
import type { ConsumerStats, LeaseInfo, RemoteMemoryOptions } from './remote-memory.types.js';
import type { SecondCopyStats } from './second-copy.js';

/** Dependencies that tests replace. */
export interface RemoteMemoryDependencies extends LeaseKeeperDependencies {
  readonly connect: typeof SlabSession.connect;
}

/** A cache over the slabs of sessions. */
interface Memory {
  readonly tier: CacheTier;
  addMemory(session: SlabSession, producerKey: Buffer): void;
  removeMemory(session: SlabSession): void;
  onLies(callback: (session: SlabSession) => void): void;
  /** The figures of second copies; `undefined` without them. */
  stats(): SecondCopyStats | undefined;
}

function singleMemory(mode: SealMode | undefined): Memory {
  const cache = new SealedCache(mode === undefined ? {} : { mode });
  return {
    tier: cache,
    addMemory: (session) => cache.addMemory(session),
    removeMemory: (session) => cache.removeMemory(session),
    onLies: (callback) => cache.onLies(callback),
    stats: () => undefined,
  };
}

/**
 * Leases slabs, keeps the leases going, and makes one sealed cache of them. A lost producer means misses until other
 * slabs are leased.
 *
 * @example
 * const memory = await RemoteMemory.open({ broker: client, identity, slabs: 4 });
 * await memory.tier.putMany([[Buffer.from('key'), Buffer.from('value')]]);
 * await memory.close();
 */
export class RemoteMemory {
  readonly #memory: Memory;
  readonly #keeper: LeaseKeeper<SlabSession>;

  private constructor(memory: Memory, keeper: LeaseKeeper<SlabSession>) {
    this.#memory = memory;
    this.#keeper = keeper;
  }

  /**
   * Takes the first leases and opens their sessions.
   * @throws ExopoolError `EXOPOOL_NO_MEMORY`, or the reason why the broker or the producers cannot be reached, when it
   *   gets fewer than `minimumSlabs`. It then gives all leases back.
   */
  static async open(
    options: RemoteMemoryOptions,
    { connect, ...by }: Partial<RemoteMemoryDependencies> = {},
  ): Promise<RemoteMemory> {
    const { seal, secondCopy = 0 } = options;
    const memory = secondCopy > 0 ? new CopiedMemory(secondCopy, seal) : singleMemory(seal);
    const user: LeaseUser<SlabSession> = {
      connect: (target) => (connect ?? ((to) => SlabSession.connect(to)))(target),
      addMemory: (session, producerKey) => memory.addMemory(session, producerKey),
      removeMemory: (session) => memory.removeMemory(session),
    };
    const keeper = await LeaseKeeper.open(user, options, by);
    memory.onLies((session) => keeper.distrust(session));
    return new RemoteMemory(memory, keeper);
  }

  /** The cache. A `Store` of @exopool/bpf-storage takes it as its remote tier. */
  get tier(): CacheTier {
    return this.#memory.tier;
  }

  leases(): LeaseInfo[] {
    return this.#keeper.leases();
  }

  stats(): ConsumerStats {
    const copies = this.#memory.stats();
    return {
      tier: this.#memory.tier.stats(),
      ...(copies === undefined ? {} : { copies }),
      ...this.#keeper.stats(),
    };
  }

  /** Gives all leases back. A lease that cannot be given back ends at its time. Idempotent. */
  close(): Promise<void> {
    return this.#keeper.close();
  }
}
