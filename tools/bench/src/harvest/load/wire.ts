/**
 * Requests of a load to Redis and memcached, and the lengths of right answers. All keys have one length, and all values
 * too, so an answer needs no parser: the load checks only its first byte and the number in its value.
 *
 *   key      "k%011d"
 *   value    |12: the key|494: random|494: repeated text|   half of it compresses, as in db_bench
 */
import { seededRandom } from '@exopool/demo/random';

export const valueBytes = 1000;
const keyBytes = 12;
const randomBytes = (valueBytes - keyBytes) / 2;
/** Values take their random part from these bytes. A prime stride keeps neighbours apart. */
const poolBytes = 1 << 20;
const poolStride = 7919;
const filler = Buffer.from('the quick brown fox jumps over the lazy dog, '.repeat(11)).subarray(
  0,
  randomBytes,
);
const pool = makePool();

export type Protocol = 'redis' | 'memcached';

export function keyOf(item: number): string {
  return `k${String(item).padStart(keyBytes - 1, '0')}`;
}

export function valueOf(item: number): Buffer {
  const value = Buffer.allocUnsafe(valueBytes);
  value.write(keyOf(item), 0, 'latin1');
  pool.copy(value, keyBytes, (item * poolStride) % (poolBytes - randomBytes));
  filler.copy(value, keyBytes + randomBytes);
  return value;
}

interface Words {
  readonly get: (key: string) => string;
  /** Bytes before the value. A line end follows the value. */
  readonly set: (key: string) => string;
  /** Bytes before and after the value in the answer to a get. */
  readonly foundHead: (key: string) => string;
  readonly foundTail: string;
  readonly stored: string;
}

const words: Record<Protocol, Words> = {
  redis: {
    get: (key) => `*2\r\n$3\r\nGET\r\n$${keyBytes}\r\n${key}\r\n`,
    set: (key) => `*3\r\n$3\r\nSET\r\n$${keyBytes}\r\n${key}\r\n$${valueBytes}\r\n`,
    foundHead: () => `$${valueBytes}\r\n`,
    foundTail: '\r\n',
    stored: '+OK\r\n',
  },
  memcached: {
    get: (key) => `get ${key}\r\n`,
    set: (key) => `set ${key} 0 0 ${valueBytes}\r\n`,
    foundHead: (key) => `VALUE ${key} 0 ${valueBytes}\r\n`,
    foundTail: '\r\nEND\r\n',
    stored: 'STORED\r\n',
  },
};

export function getRequest(protocol: Protocol, item: number): string {
  return words[protocol].get(keyOf(item));
}

export function setRequest(protocol: Protocol, item: number): Buffer {
  return Buffer.concat([
    Buffer.from(words[protocol].set(keyOf(item)), 'latin1'),
    valueOf(item),
    Buffer.from('\r\n'),
  ]);
}

/** Length of the answer to a get that is a hit. */
export function foundBytes(protocol: Protocol, item: number): number {
  const { foundHead, foundTail } = words[protocol];
  return foundHead(keyOf(item)).length + valueBytes + foundTail.length;
}

export function storedAnswer(protocol: Protocol): string {
  return words[protocol].stored;
}

/** Whether `start` belongs to `item`. It holds the answer up to the end of the key in the value. */
export function isFound(protocol: Protocol, item: number, start: Buffer): boolean {
  const key = keyOf(item);
  const expected = words[protocol].foundHead(key) + key;
  return start.toString('latin1', 0, expected.length) === expected;
}

function makePool(): Buffer {
  const random = seededRandom(0x5eed);
  const bytes = Buffer.allocUnsafe(poolBytes);
  for (let at = 0; at < poolBytes; at += 4) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  return bytes;
}
