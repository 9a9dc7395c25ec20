import { describe, expect, it } from 'vitest';
import { ValueSeal, type SealedPlace } from './value-seal.js';

const value = Buffer.from('value');
const place: SealedPlace = { key: Buffer.from('k'), slab: 1, offset: 64, length: 21, write: 1 };

describe('the seal of a value', () => {
  const seal = new ValueSeal('aes-128-gcm');
  const [stored] = seal.seal([[place, value]]);

  it('opens in its place', () => {
    expect(stored).toHaveLength(place.length);
    expect(seal.open([[place, stored!]])).toEqual([value]);
  });

  it.each([{ key: Buffer.from('l') }, { slab: 2 }, { offset: 65 }, { length: 20 }, { write: 2 }])(
    'does not open as %o',
    (other) => {
      expect(seal.open([[{ ...place, ...other }, stored!]])).toEqual([undefined]);
    },
  );

  it('does not open in another region', () => {
    expect(new ValueSeal('aes-128-gcm').open([[place, stored!]])).toEqual([undefined]);
  });

  it('never numbers two writes alike', () => {
    expect(new Set(Array.from({ length: 100 }, () => seal.nextWrite())).size).toBe(100);
  });
});
