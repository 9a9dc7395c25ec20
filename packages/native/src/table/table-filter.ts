/** Filters of table files: they rule out tables without reading them. */
import { loadBinding } from '../load-binding.js';

interface TableFilterBinding {
  keyHash(key: Uint8Array): bigint;
  filterMiss(blocks: Uint8Array, keys: readonly Uint8Array[]): number;
}

const binding = (): TableFilterBinding => loadBinding() as unknown as TableFilterBinding;

/** The hash of `key` in a table's filter: XXH64, seed 0. */
export function keyHash(key: Uint8Array): bigint {
  return binding().keyHash(key);
}

/**
 * Finds the first of `keys` that a filter rules out.
 * @param blocks the filter's blocks of 32 bytes, without the headers of its pages.
 * @returns the index of that key; -1 when the filter admits all keys.
 */
export function filterMiss(blocks: Uint8Array, keys: readonly Uint8Array[]): number {
  return binding().filterMiss(blocks, keys);
}
