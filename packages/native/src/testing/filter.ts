/**
 * A table's filter from its description alone (table_filter.h), for the tests: XXH64 and Parquet's split blocks.
 * Sizes and constants are typed again on purpose: this is an independent oracle.
 */

const word = (1n << 64n) - 1n;
const primes = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;
const [p1, p2, p3, p4, p5] = primes;
const salts = [
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
];
const blockBytes = 32;

const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & word;
const round = (lane: bigint, input: bigint): bigint => (rotate((lane + input * p2) & word, 31n) * p1) & word;

/** XXH64, seed 0. */
export function xxh64(key: Buffer): bigint {
  let at = 0;
  let hash: bigint = p5;
  if (key.length >= 32) {
    const lanes = [(p1 + p2) & word, p2, 0n, (1n << 64n) - p1];
    for (; key.length - at >= 32; at += 32) {
      for (const [i, lane] of lanes.entries()) lanes[i] = round(lane, key.readBigUInt64LE(at + 8 * i));
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, bits, i) => sum + rotate(lanes[i]!, bits), 0n) & word;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * p1 + p4) & word;
  }
  hash = (hash + BigInt(key.length)) & word;
  for (; key.length - at >= 8; at += 8) {
    hash = (rotate(hash ^ round(0n, key.readBigUInt64LE(at)), 27n) * p1 + p4) & word;
  }
  if (key.length - at >= 4) {
    hash = (rotate(hash ^ ((BigInt(key.readUInt32LE(at)) * p1) & word), 23n) * p2 + p3) & word;
    at += 4;
  }
  for (; at < key.length; at += 1) hash = (rotate(hash ^ ((BigInt(key[at]!) * p5) & word), 11n) * p1) & word;
  hash = ((hash ^ (hash >> 33n)) * p2) & word;
  hash = ((hash ^ (hash >> 29n)) * p3) & word;
  return hash ^ (hash >> 32n);
}

/** The blocks of a filter of `keys`. */
export function filterBlocks(keys: readonly Buffer[], blocks: number): Buffer {
  const filter = Buffer.alloc(blocks * blockBytes);
  for (const key of blocks === 0 ? [] : keys) {
    const hash = xxh64(key);
    const block = Number(((hash >> 32n) * BigInt(blocks)) >> 32n);
    for (const [i, salt] of salts.entries()) {
      const bit = Math.imul(Number(hash & 0xffffffffn), salt) >>> 27;
      const at = block * blockBytes + 4 * i;
      filter.writeUInt32LE((filter.readUInt32LE(at) | (1 << bit)) >>> 0, at);
    }
  }
  return filter;
}
