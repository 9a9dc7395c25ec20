/** Files that are being made. A file gets its final name only once it is complete and durable. */
import { randomBytes } from 'node:crypto';

/** Prefix of incomplete files. The next writer that opens the store removes them. */
export const temporaryPrefix = 'tmp-';

/** Tells one file from all others of its name: 64 random bits, not 0. */
export function randomFileId(): bigint {
  return randomBytes(8).readBigUInt64LE() | 1n;
}
