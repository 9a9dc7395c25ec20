import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  inKeyOrder,
  isValueOf,
  keyBytesMax,
  keyBytesMin,
  keyOf,
  mix,
  recordBytes,
  unmix,
  valueBytes,
  valueOf,
  versionIn,
} from './records.js';

const index = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe('records', () => {
  it('scatters by a permutation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (number) => unmix(mix(number)) === number),
    );
  });

  it('has printable keys of 16 to 64 bytes, each of one record', () => {
    fc.assert(
      fc.property(index, index, (one, other) => {
        const key = keyOf(one);
        expect(key.length).toBeGreaterThanOrEqual(keyBytesMin);
        expect(key.length).toBeLessThanOrEqual(keyBytesMax);
        expect(key.toString('latin1')).toMatch(/^[0-9a-f]{16}[\x21-\x7e]*$/);
        expect(key.equals(keyOf(other))).toBe(one === other);
      }),
    );
  });

  it('comes in the order of its keys, all of it', () => {
    const keys = [...inKeyOrder(1000)].map(keyOf);
    expect([...keys].sort((a, b) => Buffer.compare(a, b))).toEqual(keys);
    expect(new Set(inKeyOrder(1000)).size).toBe(1000);
    expect(Math.max(...inKeyOrder(1000))).toBe(999);
  });

  it('knows its values, and no other bytes', () => {
    fc.assert(
      fc.property(
        index,
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        fc.nat(valueBytes - 1),
        (one, version, place) => {
          const value = valueOf(one, version);
          expect(isValueOf(value, one)).toBe(true);
          expect(versionIn(value)).toBe(version);
          expect(isValueOf(value, one + 1)).toBe(false);
          value[place]! ^= 1;
          expect(isValueOf(value, one)).toBe(false);
        },
      ),
    );
    expect(isValueOf(undefined, 1)).toBe(false);
    expect(isValueOf(valueOf(1, 0).subarray(1), 1)).toBe(false);
  });

  it('has the size that it says, and compresses to about half', () => {
    const some = Array.from({ length: 200 }, (_, number) =>
      Buffer.concat([keyOf(number), valueOf(number, 0)]),
    );
    const all = Buffer.concat(some);
    expect(Math.abs(all.length / 200 - recordBytes)).toBeLessThan(5);
    expect(deflateSync(all).length / all.length).toBeGreaterThan(0.45);
    expect(deflateSync(all).length / all.length).toBeLessThan(0.65);
  });
});
