/**
 * Keys and values at the door of the store: checked, and copied.
 *
 * What comes in may be a buffer that the caller fills again for its next call; what is kept must not change under
 * the store. So everything is copied once on the way in (some 60 ns a key).
 */
import { ExopoolError } from '@exopool/shared';
import { EXO_KEY_MAX, EXO_VALUE_MAX } from './format.js';

/** What is taken as a key or a value; a string stands for its UTF-8 bytes. */
export type Bytes = Uint8Array | string;

/** A key in the two forms the store needs: bytes for tables, a string (one character a byte) for hash maps. */
export interface RowKey {
  readonly bytes: Buffer;
  readonly text: string;
}

/** Longest bytes that share Node's pool of 8 KiB: longer ones leave up to a third of it unused. */
const pooledBytesMax = 1024;

/** A copy to be kept for long: it holds on to no more memory than its own. */
export function copyToKeep(bytes: Uint8Array): Buffer {
  if (bytes.length <= pooledBytesMax) return Buffer.from(bytes);
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

/** A copy of a key. @throws ExopoolError `EXOPOOL_INVALID` unless it has 1 to 511 bytes. */
export function copyKey(key: unknown): Buffer {
  const bytes = copyBytes(key, 'a key');
  if (bytes.length === 0 || bytes.length > EXO_KEY_MAX) {
    throw new ExopoolError('EXOPOOL_INVALID', `a key has 1 to ${EXO_KEY_MAX} bytes, not ${bytes.length}`);
  }
  return bytes;
}

export function toRowKey(key: unknown): RowKey {
  const bytes = copyKey(key);
  return { bytes, text: bytes.toString('latin1') };
}

/** A copy of a value. @throws ExopoolError `EXOPOOL_INVALID` when it is longer than 16 MiB. */
export function copyValue(value: unknown): Buffer {
  const length =
    typeof value === 'string' ? Buffer.byteLength(value) : (value as Uint8Array | undefined | null)?.length;
  if (length !== undefined && length > EXO_VALUE_MAX) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `a value has at most ${EXO_VALUE_MAX} bytes, not ${length}; split it`,
    );
  }
  return copyBytes(value, 'a value');
}

/** A copy of bytes of any length, such as the bound of a range. `what` names them in the error. */
export function copyBytes(bytes: unknown, what: string): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes, 'utf8');
  if (bytes instanceof Uint8Array) return copyToKeep(bytes);
  const given = bytes === null ? 'null' : typeof bytes;
  throw new ExopoolError('EXOPOOL_INVALID', `${what} is a Buffer or a string, not ${given}`);
}
