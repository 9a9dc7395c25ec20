/**
 * Keys and values as callers give them: checked and copied.
 *
 * A caller may reuse its buffer for the next call, but the store's copy must not change. So everything is copied once on
 * the way in (some 60 ns a key).
 */
import { ExopoolError } from '@exopool/shared';
import { EXO_KEY_MAX, EXO_VALUE_MAX } from './format.js';

/** A key or a value. A string stands for its UTF-8 bytes. */
export type Bytes = Uint8Array | string;

/** A key in two forms: bytes for tables, a string (one character per byte) for hash maps. */
export interface RowKey {
  readonly bytes: Buffer;
  readonly text: string;
}

/** Longest bytes that share Node's pool of 8 KiB: longer ones leave up to a third of it unused. */
const pooledBytesMax = 1024;

/** Copies bytes that are kept for long. The copy does not keep a larger block of memory alive. */
export function copyToKeep(bytes: Uint8Array): Buffer {
  if (bytes.length <= pooledBytesMax) return Buffer.from(bytes);
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Copies a key. @throws ExopoolError `EXOPOOL_INVALID` unless it has 1 to 511 bytes. */
export function copyKey(key: unknown): Buffer {
  const bytes = copyBytes(key, 'a key');
  if (bytes.length === 0 || bytes.length > EXO_KEY_MAX) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `a key must have 1 to ${EXO_KEY_MAX} bytes, not ${bytes.length}`,
    );
  }
  return bytes;
}

/** Copies a key. @throws ExopoolError `EXOPOOL_INVALID` unless it has 1 to 511 bytes. */
export function toRowKey(key: unknown): RowKey {
  const bytes = copyKey(key);
  return { bytes, text: bytes.toString('latin1') };
}

/** Copies a value. @throws ExopoolError `EXOPOOL_INVALID` if it exceeds 16 MiB. */
export function copyValue(value: unknown): Buffer {
  const length =
    typeof value === 'string' ? Buffer.byteLength(value) : (value as Uint8Array | undefined | null)?.length;
  if (length !== undefined && length > EXO_VALUE_MAX) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `a value must have at most ${EXO_VALUE_MAX} bytes, not ${length}; split it`,
    );
  }
  return copyBytes(value, 'a value');
}

/** Copies bytes of any length, such as the bound of a range. @param what names them in the error. */
export function copyBytes(bytes: unknown, what: string): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes, 'utf8');
  if (bytes instanceof Uint8Array) return copyToKeep(bytes);
  const given = bytes === null ? 'null' : typeof bytes;
  throw new ExopoolError('EXOPOOL_INVALID', `${what} must be a Buffer or a string, not ${given}`);
}
