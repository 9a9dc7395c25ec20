/** Checksums of pages and log records. */
import { loadBinding } from '../load-binding.js';

interface ChecksumBinding {
  crc32c(bytes: Uint8Array, seed: number, portable: boolean): number;
}

/**
 * CRC-32C (Castagnoli, RFC 3720) of `bytes`.
 * @param seed the checksum of the bytes before these; default 0: none. `crc32c(b, crc32c(a))` is the checksum of `a`
 *   followed by `b`.
 * @param portable computes by table even where the processor has an instruction for it. Both give the same result.
 */
export function crc32c(bytes: Uint8Array, seed = 0, portable = false): number {
  return (loadBinding() as unknown as ChecksumBinding).crc32c(bytes, seed, portable);
}
