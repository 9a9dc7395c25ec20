/** exopool: a sealed cache over its own lease. */
import { SealedCache, SlabSession, type SealMode } from '@exopool/native/internal';
import type { SlabProducer } from '../../harvest/slab-producer.js';
import type { CacheContender } from './contender.js';

export interface LeasedCache extends CacheContender {
  readonly cache: SealedCache;
}

export function nameOfSealed(mode: SealMode): string {
  return `exopool ${mode}`;
}

export async function leasedCache(
  producer: SlabProducer,
  mode: SealMode,
  slabs: number,
): Promise<LeasedCache> {
  const session = await SlabSession.connect(producer.sessionOptions(slabs));
  const cache = new SealedCache({ mode });
  cache.addMemory(session);
  session.onLost(() => cache.removeMemory(session));
  return {
    name: nameOfSealed(mode),
    by: 'SealedCache',
    cache,
    putMany: (entries) => cache.putMany(entries),
    get: (key) => cache.get(key),
    getMany: (keys) => cache.getMany(keys),
    close: () => session.release(),
  };
}
