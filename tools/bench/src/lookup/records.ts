/**
 * The data set. Record number i has one key and, for each version, one value, both computed from i. So only the
 * contenders' own files are stored, every value that is read can be checked, and all contenders have the same data.
 *
 *   key     16 hexadecimal digits, then up to 48 letters        printable, so that it is the same as text and as bytes
 *           |8: a permutation of i|8: a hash|
 *   value   400 bytes                                            compresses to about half, as db_bench's do
 *           |4: i|4: version|192: random|200: repeated text|
 *
 * The permutation scatters neighbours in i evenly over the order of the keys; so the most popular records of a Zipf
 * workload (the smallest i) do not share pages.
 */
import { seededRandom } from '@exopool/demo/random';

export const keyBytesMin = 16;
export const keyBytesMax = 64;
export const valueBytes = 400;
/** Mean bytes of a key and its value. */
export const recordBytes = (keyBytesMin + keyBytesMax) / 2 + valueBytes;
/** Numbers from here on have no record: their keys lie between the others and are absent. */
export const recordsMax = 2 ** 31;

const headerBytes = 8;
const randomBytes = 192;
const filler = Buffer.from('the quick brown fox jumps over the lazy dog, '.repeat(5)).subarray(
  0,
  valueBytes - headerBytes - randomBytes,
);
const letters = Buffer.from(
  '/services/eu-west/tenants/accounts/records/by-created-at/'.slice(0, keyBytesMax - keyBytesMin),
);
const digitPairs = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16LE(),
);
/** Values take their random part from these bytes. There are enough that two values in one block hardly overlap. */
const pool = makePool(1 << 20);

/** A permutation of the 32-bit numbers (MurmurHash3's finalizer). */
export function mix(number: number): number {
  let value = number >>> 0;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** Undoes {@link mix}. */
export function unmix(mixed: number): number {
  let value = mixed >>> 0;
  value = Math.imul(value ^ (value >>> 16), 0x7ed1b41d) >>> 0;
  value = Math.imul(value ^ (value >>> 13) ^ (value >>> 26), 0xa5cb9243);
  return (value ^ (value >>> 16)) >>> 0;
}

export function keyOf(index: number): Buffer {
  const first = mix(index);
  const second = mix(first ^ 0x9e3779b9);
  const key = Buffer.allocUnsafe(keyBytesMin + (second % (keyBytesMax - keyBytesMin + 1)));
  for (let byte = 0; byte < 4; byte += 1) {
    key.writeUInt16LE(digitPairs[(first >>> (24 - 8 * byte)) & 0xff]!, 2 * byte);
    key.writeUInt16LE(digitPairs[(second >>> (24 - 8 * byte)) & 0xff]!, 8 + 2 * byte);
  }
  letters.copy(key, keyBytesMin);
  return key;
}

export function valueOf(index: number, version: number): Buffer {
  const value = Buffer.allocUnsafe(valueBytes);
  value.writeUInt32LE(index, 0);
  value.writeUInt32LE(version, 4);
  const start = mix(index ^ mix(version)) % (pool.length - randomBytes);
  pool.copy(value, headerBytes, start, start + randomBytes);
  filler.copy(value, headerBytes + randomBytes);
  return value;
}

/** Whether `value` belongs to some version of record `index`. Compares all bytes, or with `quick` only the header. */
export function isValueOf(value: Uint8Array | undefined, index: number, quick = false): boolean {
  if (value?.length !== valueBytes) return false;
  const view = Buffer.from(value.buffer, value.byteOffset, valueBytes);
  if (view.readUInt32LE(0) !== index) return false;
  return quick || view.equals(valueOf(index, view.readUInt32LE(4)));
}

export function indexIn(value: Uint8Array): number {
  return Buffer.from(value.buffer, value.byteOffset, valueBytes).readUInt32LE();
}

export function versionIn(value: Uint8Array): number {
  return Buffer.from(value.buffer, value.byteOffset, valueBytes).readUInt32LE(4);
}

/** The numbers 0 .. count-1 in the order of their keys. */
export function* inKeyOrder(count: number): Generator<number> {
  const order = Uint32Array.from({ length: count }, (_, index) => mix(index)).sort();
  for (const mixed of order) yield unmix(mixed);
}

function makePool(bytes: number): Buffer {
  const random = seededRandom(1);
  const words = Uint32Array.from({ length: bytes / 4 }, () => random() * 2 ** 32);
  return Buffer.from(words.buffer);
}
