/**
 * A digest of every loaded value, in a file beside the store. It is independent of the store, so the reading process
 * can tell a wrong value from a right one.
 *
 * Records of key length (u16 LE), key, and the first eight bytes of the value's SHA-256.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

export const digestBytes = 8;

export function digest(value: Uint8Array): Buffer {
  return createHash('sha256').update(value).digest().subarray(0, digestBytes);
}

export interface KeyDigests {
  readonly keys: readonly Buffer[];
  readonly digests: readonly Buffer[];
}

/** Collects digests by key. A later value of a key replaces an earlier one, as in the store. */
export class DigestCollector {
  readonly #byKey = new Map<string, Buffer>();

  add(key: Buffer, value: Buffer): void {
    this.#byKey.set(key.toString('latin1'), digest(value));
  }

  get size(): number {
    return this.#byKey.size;
  }

  async write(path: string): Promise<void> {
    const parts: Buffer[] = [];
    for (const [text, valueDigest] of this.#byKey) {
      const key = Buffer.from(text, 'latin1');
      const length = Buffer.alloc(2);
      length.writeUInt16LE(key.length);
      parts.push(length, key, valueDigest);
    }
    await writeFile(path, parts);
  }
}

export async function readKeyDigests(path: string): Promise<KeyDigests> {
  const bytes = await readFile(path);
  const keys: Buffer[] = [];
  const digests: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const keyEnd = at + 2 + bytes.readUInt16LE(at);
    keys.push(bytes.subarray(at + 2, keyEnd));
    digests.push(bytes.subarray(keyEnd, keyEnd + digestBytes));
    at = keyEnd + digestBytes;
  }
  return { keys, digests };
}
