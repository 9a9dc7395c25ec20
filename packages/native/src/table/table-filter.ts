import { loadBinding } from '../load-binding.js';

interface TableFilterBinding {
  keyHash(key: Uint8Array): bigint;
  filterMiss(blocks: Uint8Array, keys: readonly Uint8Array[]): number;
}

const binding = (): TableFilterBinding => loadBinding() as unknown as TableFilterBinding;

/** The hash by which a table's filter knows `key`: XXH64, seed 0. */
export function keyHash(key: Uint8Array): bigint {
  return binding().keyHash(key);
}

/**
 * Which of `keys` a filter says is not there: the index of the first one, or -1.
 * @param blocks the filter's blocks of 32 bytes, without the headers of its pages
 */
export function filterMiss(blocks: Uint8Array, keys: readonly Uint8Array[]): number {
  return binding().filterMiss(blocks, keys);
}
