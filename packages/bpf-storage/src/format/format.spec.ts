import { describe, expect, it } from 'vitest';
import * as format from './format.js';

describe('format', () => {
  it('pads a short suffix with zeroes in its head', () => {
    expect(format.suffixHead(Buffer.from('abcdef'), 1, 6)).toBe(0x62636465);
    expect(format.suffixHead(Buffer.from('abcdef'), 4, 6)).toBe(0x65660000);
    expect(format.suffixHead(Buffer.from('abcdef'), 6, 6)).toBe(0);
  });

  it('writes 64-bit integers that it reads back', () => {
    const bytes = Buffer.alloc(8);
    for (const value of [0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      format.writeUint64(bytes, value, 0);
      expect(format.readUint64(bytes, 0)).toBe(value);
      expect(Number(bytes.readBigUInt64LE())).toBe(value);
    }
  });
});
