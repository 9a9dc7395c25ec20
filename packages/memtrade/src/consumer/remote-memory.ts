/** Leased memory as one cache: the keeper's slabs hold the sealed values. */
import { SealedCache, SlabSession, type SealMode } from '@exopool/native/internal';
import type { CacheTier } from '@exopool/shared';
import { CopiedMemory } from './copied-memory.js';
import { LeaseKeeper, type LeaseKeeperDependencies, type LeaseUser } from './lease-keeper.js';
import type { ConsumerStats, LeaseInfo, RemoteMemoryOptions } from './remote-memory.types.js';
import type { SecondCopyStats } from './second-copy.js';

/** What tests replace. */
export interface RemoteMemoryDependencies extends LeaseKeeperDependencies {
  readonly connect: typeof SlabSession.connect;
}

/** Where sessions go. */
interface Memory {
  readonly tier: CacheTier;
  addMemory(session: SlabSession, producerKey: Buffer): void;
  removeMemory(session: SlabSession): void;
  onLies(callback: (session: SlabSession) => void): void;
  /** Of second copies. */
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

export class RemoteMemory {
  readonly #memory: Memory;
  readonly #keeper: LeaseKeeper<SlabSession>;

  private constructor(memory: Memory, keeper: LeaseKeeper<SlabSession>) {
    this.#memory = memory;
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

  /** Gives every lease back. What cannot be given back ends by itself. Idempotent. */
  close(): Promise<void> {
    return this.#keeper.close();
  }
}
