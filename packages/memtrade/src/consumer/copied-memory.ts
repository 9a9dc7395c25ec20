/** Two sealed caches over the sessions of several producers: one for values and one for second copies. */
import { SealedCache, type SlabSession, type SealMode } from '@exopool/native/internal';
import { SecondCopyTier, sideOf, type SecondCopyStats } from './second-copy.js';

const sides = ['first', 'second'] as const;
type Side = (typeof sides)[number];

interface Use {
  readonly side: Side;
  readonly producer: string;
}

export class CopiedMemory {
  readonly tier: SecondCopyTier;
  readonly #caches: Readonly<Record<Side, SealedCache>>;
  readonly #uses = new Map<SlabSession, Use>();

  /** @param share the largest share of the slabs for copies. */
  constructor(
    private readonly share: number,
    mode: SealMode | undefined,
  ) {
    const open = (): SealedCache => new SealedCache(mode === undefined ? {} : { mode });
    this.#caches = { first: open(), second: open() };
    this.tier = new SecondCopyTier(this.#caches.first, this.#caches.second);
  }

  addMemory(session: SlabSession, producerKey: Buffer): void {
    const producer = producerKey.toString('hex');
    const side = sideOf(producer, session.slabs, this.#held(), this.share);
    this.#uses.set(session, { side, producer });
    this.#caches[side].addMemory(session);
  }

  removeMemory(session: SlabSession): void {
    const use = this.#uses.get(session);
    if (use !== undefined) this.#caches[use.side].removeMemory(session);
    this.#uses.delete(session);
  }

  onLies(callback: (session: SlabSession) => void): void {
    for (const side of sides) this.#caches[side].onLies(callback);
  }

  stats(): SecondCopyStats {
    return this.tier.copyStats();
  }

  #held(): Record<Side, Map<string, number>> {
    const held = { first: new Map<string, number>(), second: new Map<string, number>() };
    for (const [session, { side, producer }] of this.#uses)
      held[side].set(producer, (held[side].get(producer) ?? 0) + session.slabs);
    return held;
  }
}
