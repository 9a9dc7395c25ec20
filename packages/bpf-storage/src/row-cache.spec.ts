import { describe, expect, it } from 'vitest';
import { absent, RowCache, rowOverheadBytes } from './row-cache.js';
import { toRowKey } from './row-key.js';

const key = (index: number) => toRowKey(Buffer.from([index, 255]));

describe('RowCache', () => {
  it('stays within its budget, overhead counted, and lets the least recently used go', () => {
    const rowBytes = 2 + 100 + rowOverheadBytes;
    const cache = new RowCache(10 * rowBytes);
    for (let index = 0; index < 10; index += 1) cache.set(key(index), Buffer.alloc(100));
    expect(cache.bytes).toBe(10 * rowBytes);
    cache.get(key(0));
    cache.set(key(10), Buffer.alloc(100));
    expect(cache.bytes).toBeLessThanOrEqual(10 * rowBytes);
    expect(cache.get(key(0))).toBeDefined();
    expect(cache.get(key(1))).toBeUndefined();
  });

  it('holds what is known to be absent', () => {
    const cache = new RowCache(10_000);
    cache.set(key(1), absent);
    expect(cache.get(key(1))).toBe(absent);
    cache.delete(key(1));
    expect(cache.get(key(1))).toBeUndefined();
  });

  it('takes no row of more than an eighth of the budget', () => {
    const cache = new RowCache(80_000);
    cache.set(key(1), Buffer.alloc(10_001));
    expect(cache.entries).toBe(0);
  });

  it('keeps nothing with a budget of 0', () => {
    const cache = new RowCache(0);
    cache.set(key(1), absent);
    expect([cache.get(key(1)), cache.entries, cache.bytes]).toEqual([undefined, 0, 0]);
  });
});
