/** Commands on keys: existence, time to live, iteration. */
import { type Command, type Run } from './command-table.js';
import { define, defineKeyless, keyOf } from './define-command.js';
import { anyExpiryOf, meetsCondition, parseExpireCondition } from './expiry-options.js';
import { matchesGlob } from './glob.js';
import { integerOf } from './numbers.js';
import { ok, ReplyError, Status } from './reply.js';

/** Keys that one SCAN visits at most, whatever its COUNT: a few milliseconds. */
const scannedMax = 10_000;
/** Default of COUNT, as in Redis. */
const scannedDefault = 10;

const del: Run = ({ keyspace }, [, ...keys]) =>
  keys.reduce((count, key) => count + Number(keyspace.delete(keyOf(key))), 0);

const exists: Run = ({ keyspace }, [, ...keys]) =>
  keys.reduce((count, key) => count + Number(keyspace.has(keyOf(key))), 0);

const type: Run = ({ keyspace }, [, key]) => new Status(keyspace.has(keyOf(key!)) ? 'string' : 'none');

const expire =
  (unitMs: 1 | 1000, isAbsolute: boolean): Run =>
  ({ keyspace }, [name, keyBytes, time, ...rest]) => {
    const key = keyOf(keyBytes!);
    const condition = parseExpireCondition(rest);
    const expiresAtMs = anyExpiryOf({ time: time!, unitMs, isAbsolute }, keyspace.now, name!);
    const current = keyspace.expiryOf(key);
    if (current === undefined || !meetsCondition(condition, current, expiresAtMs)) return 0;
    // The keyspace takes zero as "never", but here it is a time in the past.
    return Number(keyspace.expire(key, expiresAtMs === 0 ? -1 : expiresAtMs));
  };

const timeToLive =
  (unitMs: 1 | 1000, isAbsolute: boolean): Run =>
  ({ keyspace }, [, key]) => {
    const expiresAtMs = keyspace.expiryOf(keyOf(key!));
    if (expiresAtMs === undefined) return -2;
    if (expiresAtMs === 0) return -1;
    const timeMs = isAbsolute ? expiresAtMs : Math.max(0, expiresAtMs - keyspace.now);
    return unitMs === 1 ? timeMs : Math.floor((timeMs + 500) / 1000);
  };

const persist: Run = ({ keyspace }, [, keyBytes]) => {
  const key = keyOf(keyBytes!);
  if ((keyspace.expiryOf(key) ?? 0) === 0) return 0;
  return Number(keyspace.expire(key, 0));
};

const scan: Run = ({ keyspace }, [, cursorBytes, ...options]) => {
  const cursor = parseCursor(cursorBytes!);
  let count = scannedDefault;
  let pattern = '*';
  let isString = true;
  for (let at = 0; at < options.length; at += 2) {
    const word = options[at]!.toString('latin1').toLowerCase();
    const operand = options[at + 1];
    if (operand === undefined) throw new ReplyError('ERR syntax error');
    if (word === 'count') count = parseCount(operand);
    else if (word === 'match') pattern = operand.toString('latin1');
    else if (word === 'type') isString = operand.toString('latin1').toLowerCase() === 'string';
    else throw new ReplyError('ERR syntax error');
  }
  const found = keyspace.scan(cursor, Math.min(count, scannedMax));
  const keys = isString ? found.keys.filter((key) => pattern === '*' || matchesGlob(pattern, key)) : [];
  return [String(found.cursor), keys];
};

const cursorsEnd = 2n ** 64n;

function parseCursor(bytes: Buffer): number {
  const text = bytes.toString('latin1');
  // As strtoul() reads it: a sign is allowed, and so is an empty string.
  const value = /^(?:[+-]?\d{1,40})?$/.test(text) ? BigInt(text.replace('+', '')) : cursorsEnd;
  if (value >= cursorsEnd || value <= -cursorsEnd) throw new ReplyError('ERR invalid cursor');
  return Number(value < 0n ? value + cursorsEnd : value);
}

function parseCount(bytes: Buffer): number {
  const count = integerOf(bytes);
  if (count < 1n) throw new ReplyError('ERR syntax error');
  return Number(count);
}

/** KEYS visits all keys in one step, as in Redis: for small sets and debugging. */
const keys: Run = ({ keyspace }, [, pattern]) => {
  const all = keyspace.scan(0, Number.MAX_SAFE_INTEGER).keys;
  const glob = pattern!.toString('latin1');
  return glob === '*' ? all : all.filter((key) => matchesGlob(glob, key));
};

const flush: Run = ({ keyspace }, [, mode, ...rest]) => {
  const word = mode?.toString('latin1').toLowerCase();
  if (rest.length > 0 || !(word === undefined || word === 'async' || word === 'sync')) {
    throw new ReplyError('ERR syntax error');
  }
  keyspace.clear();
  return ok;
};

const fastRead = ['readonly', 'fast'];
const fastWrite = ['write', 'fast'];
const many = [1, -1, 1] as const;

export const keyCommands: readonly Command[] = [
  define('del', -2, ['write'], 'generic', 'Deletes keys', del, many),
  define('unlink', -2, fastWrite, 'generic', 'Deletes keys', del, many),
  define('exists', -2, fastRead, 'generic', 'How many of the keys exist', exists, many),
  define('touch', -2, fastRead, 'generic', 'How many of the keys exist', exists, many),
  define('type', 2, fastRead, 'generic', 'The type of a value', type),
  define('expire', -3, fastWrite, 'generic', 'Sets seconds to live', expire(1000, false)),
  define('pexpire', -3, fastWrite, 'generic', 'Sets milliseconds to live', expire(1, false)),
  define('expireat', -3, fastWrite, 'generic', 'Sets the end, Unix seconds', expire(1000, true)),
  define('pexpireat', -3, fastWrite, 'generic', 'Sets the end, Unix milliseconds', expire(1, true)),
  define('ttl', 2, fastRead, 'generic', 'Seconds to live', timeToLive(1000, false)),
  define('pttl', 2, fastRead, 'generic', 'Milliseconds to live', timeToLive(1, false)),
  define('expiretime', 2, fastRead, 'generic', 'The end, Unix seconds', timeToLive(1000, true)),
  define('pexpiretime', 2, fastRead, 'generic', 'The end, Unix milliseconds', timeToLive(1, true)),
  define('persist', 2, fastWrite, 'generic', 'Removes the time to live', persist),
  defineKeyless('scan', -2, ['readonly'], 'generic', 'Walks through the keys', scan),
  defineKeyless('keys', 2, ['readonly'], 'generic', 'Keys that match a pattern', keys),
  defineKeyless('dbsize', 1, fastRead, 'server', 'The number of keys', ({ keyspace }) => keyspace.size),
  defineKeyless('flushdb', -1, ['write'], 'server', 'Deletes every key', flush),
  defineKeyless('flushall', -1, ['write'], 'server', 'Deletes every key', flush),
];
