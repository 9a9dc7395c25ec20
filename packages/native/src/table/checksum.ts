import { loadBinding } from '../load-binding.js';

interface ChecksumBinding {
  crc32c(bytes: Uint8Array, seed: number, portable: boolean): number;
}

/**
 * CRC-32C (Castagnoli, RFC 3720) of `bytes`. `seed` is the checksum of the bytes before these (default 0: none), so
 * `crc32c(b, crc32c(a))` is the checksum of `a` followed by `b`.
 *
 * `portable` computes it by table even where the processor has an instruction for it; both give the same.
 */
export function crc32c(bytes: Uint8Array, seed = 0, portable = false): number {
  return (loadBinding() as unknown as ChecksumBinding).crc32c(bytes, seed, portable);
}
