/** A 64-bit hash of a key in two halves, for sampling. It does not resist an adversary who chooses the keys. */

export interface KeyHash {
  /** Decides whether the key is sampled: uniform over 32 bits. */
  readonly high: number;
  readonly low: number;
}

/** @param key a string has one byte per character. */
export function hashKey(key: Buffer | string): KeyHash {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let at = 0; at < key.length; at++) {
    const byte = typeof key === 'string' ? key.charCodeAt(at) : key[at]!;
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x5bd1e995);
    b ^= b >>> 15;
  }
  return { high: mix(a ^ key.length), low: mix(b ^ a) };
}

/** The finalizer of MurmurHash3: every bit of the input changes every bit of the output half of the time. */
function mix(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
