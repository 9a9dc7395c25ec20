import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from './checksum.js';

/** RFC 3720, appendix B.4; and the check value of the CRC catalogue. */
const golden: [string, Buffer, number][] = [
  ['32 zeroes', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['ascending', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['descending', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
  [
    'an iSCSI read command',
    Buffer.from(
      '01c00000000000000000000000000000140000000000040000000014000000182800000000000000' + '0200000000000000',
      'hex',
    ),
    0xd9963a56,
  ],
  ['"123456789"', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
];

describe.each([false, true])('crc32c, portable: %s', (portable) => {
  it.each(golden)('of %s is that of the standard', (_, bytes, sum) => {
    expect(crc32c(bytes, 0, portable)).toBe(sum);
  });

  it('goes on from a seed, at any alignment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
        const sum = crc32c(bytes, 0, !portable);
        expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut), 0, portable), portable)).toBe(sum);
      }),
    );
  });
});
