import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filterBlocks, xxh64 } from '../testing/filter.js';
import { filterMiss, keyHash } from './table-filter.js';

const keys = fc.array(
  fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
  { minLength: 1, maxLength: 60 },
);

describe('keyHash', () => {
  it('is XXH64 with seed 0', () => {
    expect(keyHash(Buffer.alloc(0))).toBe(0xef46db3751d8e999n);
    expect(keyHash(Buffer.from('a'))).toBe(0xd24ec4f1a98c6e5bn);
    expect(keyHash(Buffer.from('abc'))).toBe(0x44bc2cf5ad770999n);
  });

  it('is what the description says, at every length', () => {
    for (let length = 0; length <= 200; length += 1) {
      const key = Buffer.from(Array.from({ length }, (_, index) => (index * 167 + length) & 0xff));
      expect(keyHash(key)).toBe(xxh64(key));
    }
  });
});

describe('filterMiss', () => {
  it('passes every key of the filter', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 9 }), (present, blocks) => {
        expect(filterMiss(filterBlocks(present, blocks), present)).toBe(-1);
      }),
    );
  });

  it('stops about 99 of 100 absent keys, at 24 keys a block', () => {
    const named = (kind: string): Buffer[] =>
      Array.from({ length: 4800 }, (_, i) => Buffer.from(`${kind}/${i}`));
    const filter = filterBlocks(named('present'), 200);
    const passed = named('absent').filter((key) => filterMiss(filter, [key]) === -1).length;
    expect(passed).toBeGreaterThan(10);
    expect(passed).toBeLessThan(100);
  });

  it('names the first key that is not there; nothing passes an empty filter', () => {
    const [a, b] = [Buffer.from('a'), Buffer.from('b')];
    expect(filterMiss(filterBlocks([a], 4), [a, b])).toBe(1);
    expect(filterMiss(Buffer.alloc(0), [a])).toBe(0);
  });
});
