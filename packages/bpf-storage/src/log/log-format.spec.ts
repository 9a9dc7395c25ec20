import { batchEntries } from '@exopool/native/internal';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tombstone } from '../format/entry.js';
import {
  batchBytesMax,
  decodeFrameHeader,
  decodeLogHeader,
  encodeFrame,
  encodeLogHeader,
  frameHeaderBytes,
  frameSeed,
  logHeaderBytes,
  placeFrame,
} from './log-format.js';
import { batchArbitrary, batchText, decodePayload } from '../testing/log.js';

const header = { id: 0x0123456789abcdefn, number: 9, previous: { number: 8, end: 4096 } };
const seed = frameSeed(header.id);
const coded = (code: string) =>
  expect.objectContaining({ code, message: expect.stringContaining('/s/9.log') as string }) as Error;

describe('the header of a log', () => {
  it('has golden bytes, and is read back', () => {
    const bytes = encodeLogHeader(header);
    expect(bytes.toString('hex')).toBe(
      '45584f504f4c4f47' +
        '01000000' +
        '08c000d6' +
        'efcdab8967452301' +
        '0900000000000000' +
        '0800000000000000' +
        '0010000000000000',
    );
    expect(decodeLogHeader(bytes, '/s/9.log')).toEqual(header);
  });

  it('is refused when any byte of it is changed or missing', () => {
    const bytes = encodeLogHeader(header);
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x40;
      const code = at >= 8 && at < 12 ? 'EXOPOOL_VERSION' : 'EXOPOOL_CORRUPT';
      expect(() => decodeLogHeader(damaged, '/s/9.log')).toThrow(coded(code));
      expect(() => decodeLogHeader(bytes.subarray(0, at), '/s/9.log')).toThrow(coded('EXOPOOL_CORRUPT'));
    }
  });

  it('of a newer version says so', () => {
    const bytes = encodeLogHeader(header);
    bytes.writeUInt32LE(2, 8);
    expect(() => decodeLogHeader(bytes, '/s/9.log')).toThrow(coded('EXOPOOL_VERSION'));
  });
});

describe('a frame', () => {
  it('has golden bytes', () => {
    const frame = encodeFrame([
      { key: Buffer.from('key'), value: Buffer.from('value') },
      { key: Buffer.from('gone'), value: tombstone },
    ]);
    placeFrame(frame, { seed, offset: 48 }, 48);
    expect(frame.toString('hex')).toBe(
      'b670f643' +
        'f9ff7678' +
        '3000000000000000' +
        '3000000000000000' +
        '1c000000' +
        '01' +
        '000000' +
        '0000030005000000' +
        '6b6579' +
        '76616c7565' +
        '0200040000000000' +
        '676f6e65' +
        '00000000',
    );
  });

  it('is read back, and only at its place and in its log', () => {
    fc.assert(
      fc.property(batchArbitrary, fc.nat(1000), (batch, eighths) => {
        const offset = logHeaderBytes + eighths * 8;
        const frame = encodeFrame(batch);
        placeFrame(frame, { seed, offset }, logHeaderBytes);
        const found = decodeFrameHeader(frame, 0, { seed, offset })!;
        expect(found).toMatchObject({ synced: logHeaderBytes, end: offset + frame.length });
        const payload = frame.subarray(frameHeaderBytes, frameHeaderBytes + found.length);
        expect(batchText(decodePayload(payload)!)).toBe(batchText(batch));
        expect(frame.length % 8).toBe(0);
        expect(decodeFrameHeader(frame, 0, { seed, offset: offset + 8 })).toBeUndefined();
        expect(decodeFrameHeader(frame, 0, { seed: seed + 1, offset })).toBeUndefined();
      }),
    );
  });

  it('does not verify with any changed bit in its header', () => {
    const frame = encodeFrame([{ key: Buffer.from('key'), value: Buffer.from('value') }]);
    placeFrame(frame, { seed, offset: 64 }, 48);
    for (let bit = 0; bit < frameHeaderBytes * 8; bit += 1) {
      const damaged = Buffer.from(frame);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeFrameHeader(damaged, 0, { seed, offset: 64 })).toBeUndefined();
    }
  });

  it('is limited in size', () => {
    const value = Buffer.alloc(16 << 20);
    const batch = Array.from({ length: batchBytesMax / value.length }, () => ({
      key: Buffer.from('k'),
      value,
    }));
    expect(() => encodeFrame(batch)).toThrow(expect.objectContaining({ code: 'EXOPOOL_INVALID' }));
  });
});

describe('a payload', () => {
  it('of any bytes is operations within the limits, or nothing', () => {
    const payloads = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      // Like an operation: small lengths, so that some of them fit.
      fc
        .tuple(fc.constantFrom(0, 2, 1), fc.nat(4), fc.nat(8), fc.uint8Array({ maxLength: 12 }))
        .map(([kind, key, value, rest]) => Uint8Array.of(kind, 0, key, 0, value, 0, 0, 0, ...rest)),
    );
    fc.assert(
      fc.property(payloads, (bytes) => {
        const entries = decodePayload(Buffer.from(bytes));
        expect(batchEntries(bytes)).toBe(entries?.length);
        for (const { key, value } of entries ?? []) {
          expect(key.length).toBeGreaterThan(0);
          expect(key.length).toBeLessThan(512);
          if (value !== tombstone) expect(value.length).toBeLessThanOrEqual(bytes.length);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
