/**
 * AES-128-GCM over batches: each value gets confidentiality, and a tag that binds it to its associated data.
 *
 *   sealMany:  nonce (12) + associated data + plain text  ->  cipher text || tag (16)
 *
 * One crossing into native code serves a whole batch with one key schedule, through the OpenSSL that is in Node.
 * Results of a batch share one allocation: copy a value out when it is to be kept for long on its own.
 */
import { ExopoolError } from '@exopool/shared';
import { loadBinding } from './load-binding.js';

/** Bytes of a key, a nonce, and of the tag that sealing adds. */
export const sealKeyBytes = 16;
export const sealNonceBytes = 12;
export const sealTagBytes = 16;

/** Bytes that one call seals or opens: what a signed 32-bit length, OpenSSL's, can count with room to spare. */
const batchBytesMax = 1024 * 1024 * 1024;

/** One value to seal or open. A nonce must never be used twice with one key. */
export interface SealItem {
  /** 12 bytes. */
  readonly nonce: Buffer;
  /** Authenticated with the value, not part of the result. */
  readonly associatedData: Buffer;
  /** The plain text to seal, or what sealing made of it. */
  readonly data: Buffer;
}

interface SealingBinding {
  /**
   * `parts`: nonce, associated data and data of each value; `out` gets the results back to back, `good` a 1 for each
   * that is. False: OpenSSL would not.
   */
  sealBatch(key: Buffer, parts: readonly Buffer[], out: Buffer, good: Uint8Array): boolean;
  openBatch(key: Buffer, parts: readonly Buffer[], out: Buffer, good: Uint8Array): boolean;
}

/**
 * Seals values: cipher text with a 16-byte tag at its end.
 * @param key 16 bytes.
 * @throws ExopoolError `EXOPOOL_INVALID` for a key or nonce of another length.
 */
export function sealMany(key: Buffer, items: readonly SealItem[]): Buffer[] {
  const sizes = items.map((item) => item.data.length + sealTagBytes);
  const { good, out } = run('sealBatch', key, items, sizes);
  if (good.includes(0)) throw new ExopoolError('EXOPOOL_INTERNAL', 'OpenSSL did not seal a value');
  return slices(out, sizes);
}

/** Opens sealed values; `undefined` for each that does not verify. Throws as {@link sealMany}. */
export function openMany(key: Buffer, items: readonly SealItem[]): (Buffer | undefined)[] {
  const sizes = items.map((item) => Math.max(0, item.data.length - sealTagBytes));
  const { good, out } = run('openBatch', key, items, sizes);
  return slices(out, sizes).map((value, index) => (good[index] === 1 ? value : undefined));
}

function run(
  call: keyof SealingBinding,
  key: Buffer,
  items: readonly SealItem[],
  sizes: readonly number[],
): { good: Uint8Array; out: Buffer } {
  if (key.length !== sealKeyBytes) {
    throw new ExopoolError('EXOPOOL_INVALID', `a sealing key has ${sealKeyBytes} bytes, not ${key.length}`);
  }
  const parts: Buffer[] = [];
  for (const item of items) {
    if (item.nonce.length !== sealNonceBytes) {
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        `a nonce has ${sealNonceBytes} bytes, not ${item.nonce.length}`,
      );
    }
    parts.push(item.nonce, item.associatedData, item.data);
  }
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > batchBytesMax) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `a batch seals at most ${batchBytesMax} bytes, not ${total}: split it`,
    );
  }
  const out = Buffer.allocUnsafe(total);
  const good = new Uint8Array(items.length);
  const binding = loadBinding() as unknown as SealingBinding;
  if (binding[call](key, parts, out, good)) return { good, out };
  throw new ExopoolError(
    'EXOPOOL_UNSUPPORTED',
    "Node's OpenSSL offers no AES-128-GCM; use a Node built with it",
  );
}

function slices(out: Buffer, sizes: readonly number[]): Buffer[] {
  let at = 0;
  return sizes.map((size) => {
    const from = at;
    at += size;
    return out.subarray(from, at);
  });
}
