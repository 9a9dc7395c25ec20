import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openMany, sealMany, type SealItem } from './sealing.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** From "The Galois/Counter Mode of Operation" (McGrew, Viega), test cases 1 to 4, which NIST publishes with GCM. */
const vectors = [
  [
    '00000000000000000000000000000000',
    '000000000000000000000000',
    '',
    '',
    '58e2fccefa7e3061367f1d57a4e7455a',
  ],
  [
    '00000000000000000000000000000000',
    '000000000000000000000000',
    '',
    '00000000000000000000000000000000',
    '0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf',
  ],
  [
    'feffe9928665731c6d6a8f9467308308',
    'cafebabefacedbaddecaf888',
    '',
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255',
    '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4',
  ],
  [
    'feffe9928665731c6d6a8f9467308308',
    'cafebabefacedbaddecaf888',
    'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47',
  ],
] as const;

describe('AES-128-GCM', () => {
  it.each(vectors)('gives the published vector %#', (key, nonce, associatedData, plain, sealed) => {
    const item = { nonce: hex(nonce), associatedData: hex(associatedData), data: hex(plain) };
    expect(sealMany(hex(key), [item])[0]?.toString('hex')).toBe(sealed);
    expect(openMany(hex(key), [{ ...item, data: hex(sealed) }])[0]?.toString('hex')).toBe(plain);
  });

  it('agrees with node:crypto', () => {
    const [key, nonce, associatedData, data] = [
      randomBytes(16),
      randomBytes(12),
      randomBytes(20),
      randomBytes(5000),
    ];
    const cipher = createCipheriv('aes-128-gcm', key, nonce).setAAD(associatedData);
    const expected = Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
    expect(sealMany(key, [{ nonce, associatedData, data }])).toEqual([expected]);
  });
});

const bytes = (most: number) => fc.uint8Array({ maxLength: most }).map((array) => Buffer.from(array));
const item = fc.record({
  nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }).map((array) => Buffer.from(array)),
  associatedData: bytes(40),
  data: bytes(300),
});

describe('sealing', () => {
  const key = randomBytes(16);

  it('comes back as it was, batch by batch', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 20 }), (items) => {
        const sealed = sealMany(key, items);
        const opened = openMany(
          key,
          items.map((each, index) => ({ ...each, data: sealed[index]! })),
        );
        expect(opened).toEqual(items.map(({ data }) => data));
      }),
    );
  });

  it('shows any flipped bit, and leaves the rest of the batch alone', () => {
    fc.assert(
      fc.property(
        fc.array(item, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.nat(),
        fc.nat({ max: 3 }),
        (items, which, bit, where) => {
          const sealed: SealItem[] = items.map((each, index) => ({
            ...each,
            data: Buffer.from(sealMany(key, items)[index]!),
          }));
          const target = which % items.length;
          const { nonce, associatedData, data } = sealed[target]!;
          const flipped = [data, nonce, associatedData.length > 0 ? associatedData : data, data][where]!;
          flipped[Math.floor(bit / 8) % flipped.length]! ^= 1 << (bit % 8);
          const opened = openMany(key, sealed);
          expect(opened[target]).toBeUndefined();
          expect(opened.filter((_, index) => index !== target)).toEqual(
            items.filter((_, index) => index !== target).map(({ data: plain }) => plain),
          );
        },
      ),
    );
  });

  it('does not open what is too short, or sealed with another key', () => {
    const nonce = Buffer.alloc(12);
    const associatedData = Buffer.alloc(0);
    const short = openMany(key, [{ nonce, associatedData, data: Buffer.alloc(15) }]);
    expect(short).toEqual([undefined]);
    const [data] = sealMany(key, [{ nonce, associatedData, data: Buffer.from('secret') }]);
    expect(openMany(randomBytes(16), [{ nonce, associatedData, data: data! }])).toEqual([undefined]);
  });

  it('refuses keys and nonces of another length', () => {
    const invalid = expect.objectContaining({ code: 'EXOPOOL_INVALID' }) as Error;
    const each = { nonce: Buffer.alloc(12), associatedData: Buffer.alloc(0), data: Buffer.alloc(1) };
    expect(() => sealMany(Buffer.alloc(32), [each])).toThrow(invalid);
    expect(() => openMany(key, [{ ...each, nonce: Buffer.alloc(16) }])).toThrow(invalid);
  });
});
