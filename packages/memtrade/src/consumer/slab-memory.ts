/** What the cache needs of a leased range of memory; `SlabSession` of @exopool/native is one. */
import type { SlabSession } from '@exopool/native';

/**
 * Requests take effect in the order in which they are made; their promises may settle in any order. A read or write
 * that is lost settles as lost, it does not reject.
 */
export type SlabMemory = Pick<SlabSession, 'slabs' | 'slabBytes' | 'readMany' | 'writeMany'>;
