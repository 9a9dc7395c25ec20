/**
 * What a load says to Redis and memcached, and how many bytes a right answer has: all keys and all values are of one
 * length, so an answer needs no parser, only a look at its first byte and at the number in its value.
 *
 *   key      "k%011d"
 *   value    |12: the key|494: random|494: repeated text|   half of it compresses, as db_bench's values do
 */
import { seededRandom } from '@exopool/demo/random';

export const valueBytes = 1000;
const keyBytes = 12;
const randomBytes = (valueBytes - keyBytes) / 2;
/** Random bytes that values take their part from; a prime stride keeps neighbours apart. */
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
  /** Before the value; after it comes a line's end. */
  readonly set: (key: string) => string;
  /** Before the value of an answer to a get, and after it. */
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

/** Bytes of the answer to a get that finds its item. */
export function foundBytes(protocol: Protocol, item: number): number {
  const { foundHead, foundTail } = words[protocol];
  return foundHead(keyOf(item)).length + valueBytes + foundTail.length;
}

export function storedAnswer(protocol: Protocol): string {
  return words[protocol].stored;
}

/** Whether `start`, which holds an answer's beginning up to the end of the key in the value, is that of `item`. */
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
