/** Commands that read and write values. */
import type { Change, Later } from '../keyspace/keyspace.js';
import { wrongArity, type Command, type Run, type ServerView } from './command-table.js';
import { define, keyOf } from './define-command.js';
import { expiryOf, parseSetOptions } from './expiry-options.js';
import { addLongDoubles, formatLongDouble, parseLongDouble, type LongDouble } from './long-double.js';
import { int64Max, int64Min, integerOf } from './numbers.js';
import { ok, ReplyError, type Reply } from './reply.js';
import { valueBytesMax } from './request-parser.js';

/** Bytes of one reply. Without this limit, an MGET of values of 8 MiB each could exhaust the memory. */
const replyBytesMax = 256 * 1024 * 1024;

const empty = Buffer.alloc(0);
const orNull = (value: Later<Buffer | undefined>): Later<Reply> =>
  value instanceof Promise ? value.then((bytes) => bytes ?? null) : (value ?? null);

const get: Run = ({ keyspace }, [, key]) => orNull(keyspace.get(keyOf(key!)));

const set: Run = ({ keyspace }, [name, keyBytes, value, ...rest]) => {
  const key = keyOf(keyBytes!);
  const options = parseSetOptions(rest, 'set');
  const expiresAtMs = expiryOf(options, keyspace.now, name!);
  const old = options.get ? orNull(keyspace.get(key)) : undefined;
  const isWanted = !(options.nx && keyspace.has(key)) && !(options.xx && !keyspace.has(key));
  if (isWanted) keyspace.set(key, value!, options.keepTtl ? 'keep' : (expiresAtMs ?? 0));
  if (old !== undefined) return old;
  return isWanted ? ok : null;
};

const setWithExpiry =
  (unitMs: 1 | 1000): Run =>
  ({ keyspace }, [name, key, time, value]) => {
    const expiresAtMs = expiryOf({ time: time!, unitMs, isAbsolute: false }, keyspace.now, name!);
    keyspace.set(keyOf(key!), value!, expiresAtMs);
    return ok;
  };

const setNx: Run = ({ keyspace }, [, key, value]) => {
  if (keyspace.has(keyOf(key!))) return 0;
  keyspace.set(keyOf(key!), value!);
  return 1;
};

const getSet: Run = ({ keyspace }, [, keyBytes, value]) => {
  const key = keyOf(keyBytes!);
  const old = orNull(keyspace.get(key));
  keyspace.set(key, value!);
  return old;
};

const getDelete: Run = ({ keyspace }, [, keyBytes]) => {
  const key = keyOf(keyBytes!);
  const old = orNull(keyspace.get(key));
  keyspace.delete(key);
  return old;
};

const getExpire: Run = ({ keyspace }, [name, keyBytes, ...rest]) => {
  const key = keyOf(keyBytes!);
  const options = parseSetOptions(rest, 'getex');
  if (!keyspace.has(key)) return orNull(keyspace.get(key));
  const expiresAtMs = options.persist ? 0 : expiryOf(options, keyspace.now, name!);
  const value = orNull(keyspace.get(key));
  if (expiresAtMs !== undefined) keyspace.expire(key, expiresAtMs);
  return value;
};

const multiGet: Run = ({ keyspace }, [, ...keyBytes]) => {
  const keys = keyBytes.map(keyOf);
  const bytes = keys.reduce((sum, key) => sum + keyspace.expectedLengthOf(key), 0);
  if (bytes > replyBytesMax) {
    throw new ReplyError(`ERR the values are longer than ${replyBytesMax} bytes together; ask for fewer`);
  }
  const values = keys.map((key) => orNull(keyspace.get(key)));
  return values.some((value) => value instanceof Promise)
    ? Promise.all(values.map((value) => Promise.resolve(value)))
    : (values as Reply[]);
};

const multiSet: Run = ({ keyspace }, [, ...pairs]) => {
  checkPairs(pairs, 'mset');
  for (let at = 0; at < pairs.length; at += 2) keyspace.set(keyOf(pairs[at]!), pairs[at + 1]!);
  return ok;
};

const multiSetNx: Run = ({ keyspace }, [, ...pairs]) => {
  checkPairs(pairs, 'msetnx');
  if (pairs.some((key, index) => index % 2 === 0 && keyspace.has(keyOf(key)))) return 0;
  for (let at = 0; at < pairs.length; at += 2) keyspace.set(keyOf(pairs[at]!), pairs[at + 1]!);
  return 1;
};

function checkPairs(pairs: readonly Buffer[], name: string): void {
  if (pairs.length % 2 === 1) throw wrongArity(name);
}

const strlen: Run = ({ keyspace }, [, key]) => {
  const length = keyspace.lengthOf(keyOf(key!));
  return length instanceof Promise ? length.then((bytes) => bytes ?? 0) : (length ?? 0);
};

const append: Run = ({ keyspace }, [, key, tail]) =>
  keyspace.update(keyOf(key!), (old = empty): Change<Reply> => {
    checkLength(old.length + tail!.length);
    const value = old.length === 0 ? tail! : Buffer.concat([old, tail!]);
    return { value, result: value.length };
  });

const getRange: Run = ({ keyspace }, [, key, startBytes, endBytes]) => {
  const [start, end] = [integerOf(startBytes!), integerOf(endBytes!)];
  const value = keyspace.get(keyOf(key!));
  return value instanceof Promise
    ? value.then((bytes) => rangeOf(bytes ?? empty, start, end))
    : rangeOf(value ?? empty, start, end);
};

/** Both ends are included. Negative ones count from the end. */
function rangeOf(value: Buffer, start: bigint, end: bigint): Buffer {
  if (start < 0n && end < 0n && start > end) return empty;
  const first = Math.max(0, Number(start) + (start < 0n ? value.length : 0));
  const last = Math.max(0, Number(end) + (end < 0n ? value.length : 0));
  return value.subarray(first, last + 1);
}

const setRange: Run = ({ keyspace }, [, key, offsetBytes, patch]) => {
  const offset = Number(integerOf(offsetBytes!));
  if (offset < 0) throw new ReplyError('ERR offset is out of range');
  return keyspace.update(keyOf(key!), (old = empty): Change<Reply> => {
    if (patch!.length === 0) return { value: undefined, result: old.length };
    checkLength(offset + patch!.length);
    const value = Buffer.alloc(Math.max(old.length, offset + patch!.length));
    old.copy(value);
    patch!.copy(value, offset);
    return { value, result: value.length };
  });
};

function checkLength(bytes: number): void {
  if (bytes > valueBytesMax) {
    throw new ReplyError('ERR string exceeds maximum allowed size (proto-max-bulk-len)');
  }
}

function add({ keyspace }: ServerView, key: Buffer, increment: bigint): Later<Reply> {
  return keyspace.update(keyOf(key), (old): Change<Reply> => {
    const value = old === undefined ? 0n : integerOf(old);
    const sum = value + increment;
    if (sum > int64Max || sum < int64Min) throw new ReplyError('ERR increment or decrement would overflow');
    return { value: Buffer.from(String(sum), 'latin1'), result: sum };
  });
}

const decrementBy: Run = (server, [, key, amount]) => {
  const decrement = integerOf(amount!);
  if (decrement === int64Min) throw new ReplyError('ERR decrement would overflow');
  return add(server, key!, -decrement);
};

const incrementByFloat: Run = ({ keyspace }, [, key, amount]) =>
  keyspace.update(keyOf(key!), (old): Change<Reply> => {
    const value = old === undefined ? ({ mantissa: 0n, exponent: 0 } as const) : floatOf(old);
    const increment = floatOf(amount!);
    const sum =
      value === 'infinity' || increment === 'infinity' ? undefined : addLongDoubles(value, increment);
    if (sum === undefined) throw new ReplyError('ERR increment would produce NaN or Infinity');
    const text = Buffer.from(formatLongDouble(sum), 'latin1');
    return { value: text, result: text };
  });

function floatOf(argument: Buffer): LongDouble | 'infinity' {
  const value = parseLongDouble(argument.toString('latin1'));
  if (value === undefined) throw new ReplyError('ERR value is not a valid float');
  return value;
}

const write = ['write', 'denyoom'];
const fastWrite = [...write, 'fast'];
const fastRead = ['readonly', 'fast'];

export const stringCommands: readonly Command[] = [
  define('get', 2, fastRead, 'string', 'The value of a key', get),
  define('set', -3, write, 'string', 'Sets the value of a key', set),
  define('setnx', 3, fastWrite, 'string', 'Sets the value of a key that does not exist', setNx),
  define('setex', 4, write, 'string', 'Sets value and seconds to live', setWithExpiry(1000)),
  define('psetex', 4, write, 'string', 'Sets value and milliseconds to live', setWithExpiry(1)),
  define('getset', 3, fastWrite, 'string', 'Sets a value and returns the one before', getSet),
  define('getdel', 2, ['write', 'fast'], 'string', 'Returns a value and deletes the key', getDelete),
  define('getex', -2, ['write', 'fast'], 'string', 'Returns a value and sets its expiry', getExpire),
  define('mget', -2, fastRead, 'string', 'The values of several keys', multiGet, [1, -1, 1]),
  define('mset', -3, write, 'string', 'Sets several keys', multiSet, [1, -1, 2]),
  define('msetnx', -3, write, 'string', 'Sets several keys if none of them exists', multiSetNx, [1, -1, 2]),
  define('strlen', 2, fastRead, 'string', 'The length of a value', strlen),
  define('append', 3, fastWrite, 'string', 'Appends to a value', append),
  define('getrange', 4, ['readonly'], 'string', 'Part of a value', getRange),
  define('substr', 4, ['readonly'], 'string', 'Part of a value', getRange),
  define('setrange', 4, write, 'string', 'Overwrites part of a value', setRange),
  define('incr', 2, fastWrite, 'string', 'Adds one', (server, [, key]) => add(server, key!, 1n)),
  define('decr', 2, fastWrite, 'string', 'Subtracts one', (server, [, key]) => add(server, key!, -1n)),
  define('incrby', 3, fastWrite, 'string', 'Adds a whole number', (server, [, key, amount]) =>
    add(server, key!, integerOf(amount!)),
  ),
  define('decrby', 3, fastWrite, 'string', 'Subtracts a whole number', decrementBy),
  define('incrbyfloat', 3, fastWrite, 'string', 'Adds a number', incrementByFloat),
];
