import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXO_PAGE_SIZE, EXO_SLOTS_MAX, EXO_VALUE_INLINE } from './format.js';
import { InteriorBuilder, LeafBuilder, sharedPrefix, shortestSeparator } from './page-builder.js';
import { checkPage, PageView } from './page-view.js';
import { keyArbitrary, pairsArbitrary, sortPairs } from './testing/table.js';

const context = { path: 'page', offset: 8192, fileSize: 1 << 20, tableId: 7n };
const place = { tableId: 7n, offset: 8192 };

/** Bytes of a page that neither header, slots, prefix nor cells use. */
function freeBytes(cellsBytes: number, count: number, prefix: number): number {
  return EXO_PAGE_SIZE - 32 - 8 * count - prefix - cellsBytes;
}

describe('LeafBuilder', () => {
  it('fills a page until the next entry would not fit, and the page gives every entry back', () => {
    fc.assert(
      fc.property(pairsArbitrary, (pairs) => {
        const small = pairs.filter(([, value]) => value.length <= 1024);
        const builder = new LeafBuilder();
        const taken = small.filter(([key, value], index) => {
          const goes = builder.count === index && builder.fits(key, value.length);
          if (goes) builder.add(key, EXO_VALUE_INLINE, value);
          return goes;
        });
        if (taken.length === 0) return;
        const page = Buffer.alloc(EXO_PAGE_SIZE);
        builder.build(page, place);
        checkPage(page, context);
        const view = new PageView(page, context, 0);
        expect(view.count).toBe(taken.length);
        for (const [index, [key, value]] of taken.entries()) {
          expect(view.key(index)).toEqual(key);
          expect(view.value(index)).toEqual(value);
          expect(view.headAgrees(index)).toBe(true);
          expect(view.lowerBound(key)).toBe(index);
          expect(view.upperBound(key)).toBe(index + 1);
        }
      }),
    );
  });

  it('knows the exact size: a page can be full to the last byte, and one byte more does not fit', () => {
    const builder = new LeafBuilder();
    const key = (index: number): Buffer => Buffer.from(`prefix${index}`);
    builder.add(key(0), EXO_VALUE_INLINE, Buffer.alloc(1000));
    builder.add(key(1), EXO_VALUE_INLINE, Buffer.alloc(1000));
    builder.add(key(2), EXO_VALUE_INLINE, Buffer.alloc(1000));
    const free = freeBytes(3 * (4 + 1 + 1000), 3, 6) - 8 - (4 + 1);
    expect(builder.fits(key(3), free)).toBe(true);
    expect(builder.fits(key(3), free + 1)).toBe(false);
    // A key that shares nothing takes the prefix away from all four.
    expect(builder.fits(Buffer.from('q'), free - 3 * 6 + 6)).toBe(true);
    expect(builder.fits(Buffer.from('q'), free - 3 * 6 + 7)).toBe(false);
  });

  it('never takes more slots than a walker expects', () => {
    const builder = new LeafBuilder();
    let count = 0;
    while (count < 65536) {
      const key = Buffer.of(count >> 8, count & 255);
      if (!builder.fits(key, 0)) break;
      builder.add(key, EXO_VALUE_INLINE, Buffer.alloc(0));
      count += 1;
    }
    expect(count).toBeLessThanOrEqual(EXO_SLOTS_MAX);
  });
});

describe('InteriorBuilder', () => {
  it('sends each key to the child whose separators enclose it', () => {
    fc.assert(
      fc.property(fc.array(keyArbitrary, { minLength: 1, maxLength: 200 }), keyArbitrary, (keys, wanted) => {
        const separators = sortPairs(keys.map((key) => [key, key] as const)).map(([key]) => key);
        const builder = new InteriorBuilder(1);
        for (const separator of separators) {
          if (!builder.fits(separator)) break;
          builder.add(separator, 4096 * (builder.count + 1));
        }
        const { count } = builder;
        const page = Buffer.alloc(EXO_PAGE_SIZE);
        builder.build(page, place);
        const view = new PageView(page, context, 1);
        const greater = separators
          .slice(1, count)
          .filter((separator) => Buffer.compare(separator, wanted) <= 0);
        expect(view.childIndex(wanted)).toBe(greater.length);
        expect(view.child(greater.length)).toBe(4096 * (greater.length + 1));
      }),
    );
  });
});

describe('separators', () => {
  it('are the shortest bytes above the left key and not above the right one', () => {
    fc.assert(
      fc.property(keyArbitrary, keyArbitrary, (a, b) => {
        const order = Buffer.compare(a, b);
        if (order === 0) return;
        const [left, right] = order < 0 ? [a, b] : [b, a];
        const separator = shortestSeparator(left, right);
        expect(Buffer.compare(left, separator)).toBe(-1);
        expect(Buffer.compare(separator, right)).toBeLessThanOrEqual(0);
        expect(separator.length).toBe(sharedPrefix(left, right) + 1);
      }),
    );
  });
});
