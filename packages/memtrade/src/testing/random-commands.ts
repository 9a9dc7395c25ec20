/** For tests: commands as a hostile clerk would type them. Few keys, values that numbers fit in or just not. */
import type { Word } from './resp-wire.js';

/** 0 up to 1. */
export type Random = () => number;

/** The same numbers for the same seed (xorshift). */
export function random(seed: number): Random {
  let state = (seed * 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

type Make = (draw: Random) => Word[];

function pick<T>(draw: Random, from: readonly T[]): T {
  return from[Math.floor(draw() * from.length)]!;
}

const whole = (draw: Random, below: number): number => Math.floor(draw() * below);
const key = (draw: Random): string => `key:${whole(draw, 24)}`;
const keys = (draw: Random): string[] => Array.from({ length: 1 + whole(draw, 4) }, () => key(draw));
const sizes = [0, 1, 3, 10, 100, 1000, 5000, 20_000, 70_000, 200_000];

const value: Make = (draw) => {
  const kind = whole(draw, 10);
  if (kind < 3) return [String(whole(draw, 1000) - 500)];
  if (kind < 4) return [pick(draw, edges)];
  if (kind < 6) return [(draw() * 1000 - 500).toFixed(whole(draw, 6))];
  const bytes = Buffer.alloc(pick(draw, draw() < 0.9 ? sizes.slice(0, 6) : sizes));
  for (let at = 0; at < bytes.length; at++) bytes[at] = whole(draw, 256);
  return [bytes];
};
const one = (draw: Random): Word => value(draw)[0]!;

const edges = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '9223372036854775806',
  '-9223372036854775807',
  '0',
  '-0',
  '+1',
  '01',
  ' 1',
  '1 ',
  '',
  '1.5',
  '1e3',
  '3.0e-5',
  '0x10',
  '0x1p-3',
  'inf',
  '-inf',
  'nan',
  '1e400',
  '1e-400',
  '1e5000',
  '1e-5000',
  '.5',
  '5.',
  '.',
  'e5',
  '0.1',
  '0.30000000000000004',
  '123456789012345678901234567890',
  'abc',
];
const integer = (draw: Random): string =>
  draw() < 0.75 ? String(whole(draw, 200) - 100) : pick(draw, edges);
/** Far away, and never twice the same, since the servers' clocks differ. */
const seconds = (draw: Random): string =>
  draw() < 0.85
    ? String(10_000 + whole(draw, 1_000_000_000))
    : pick(draw, ['0', '-1', '-100', 'x', '', ...edges]);
const millis = (draw: Random): string =>
  draw() < 0.85 ? `${10_000 + whole(draw, 1_000_000_000)}000` : pick(draw, ['0', '-1', 'x', ...edges]);
const futureSeconds = (draw: Random): string => String(4_000_000_000 + whole(draw, 1_000_000_000));
const futureMillis = (draw: Random): string => `${futureSeconds(draw)}${100 + whole(draw, 900)}`;
const anyCase = (draw: Random, text: string): string => (draw() < 0.5 ? text.toUpperCase() : text);

const setOption: Make = (draw) => {
  const name = pick(draw, [
    'ex',
    'px',
    'exat',
    'pxat',
    'nx',
    'xx',
    'get',
    'keepttl',
    'keepttl',
    'get',
    'bogus',
  ]);
  const time = { ex: seconds, px: millis, exat: futureSeconds, pxat: futureMillis }[name];
  return [anyCase(draw, name), ...(time === undefined ? [] : [time(draw)])];
};
const times = (make: Make, most: number): Make => {
  return (draw) => Array.from({ length: whole(draw, most + 1) }, () => make(draw)).flat();
};
const setOptions = times(setOption, 3);
const expireOption: Make = (draw) => [anyCase(draw, pick(draw, ['nx', 'xx', 'gt', 'lt', 'gt', 'lt', 'foo']))];
const expireOptions = times(expireOption, 2);
const getexOption: Make = (draw) => {
  const name = pick(draw, ['ex', 'px', 'exat', 'pxat', 'persist', 'keepttl', 'nx']);
  const time = { ex: seconds, px: millis, exat: futureSeconds, pxat: futureMillis }[name];
  return [name, ...(time === undefined ? [] : [time(draw)])];
};

/** Each as often as it stands here. */
const makers: readonly Make[] = [
  (draw) => ['get', key(draw)],
  (draw) => ['get', key(draw)],
  (draw) => ['get', key(draw)],
  (draw) => ['set', key(draw), one(draw)],
  (draw) => ['set', key(draw), one(draw)],
  (draw) => ['set', key(draw), one(draw), ...setOptions(draw)],
  (draw) => ['set', key(draw), one(draw), ...setOptions(draw)],
  (draw) => ['setnx', key(draw), one(draw)],
  (draw) => ['setex', key(draw), seconds(draw), one(draw)],
  (draw) => ['psetex', key(draw), millis(draw), one(draw)],
  (draw) => ['getset', key(draw), one(draw)],
  (draw) => ['getdel', key(draw)],
  (draw) => ['getex', key(draw), ...times(getexOption, 2)(draw)],
  (draw) => ['mget', ...keys(draw)],
  (draw) => ['mset', ...keys(draw).flatMap((each) => [each, one(draw)])],
  (draw) => ['msetnx', ...keys(draw).flatMap((each) => [each, one(draw)])],
  (draw) => ['del', ...keys(draw)],
  (draw) => ['unlink', ...keys(draw)],
  (draw) => ['exists', ...keys(draw)],
  (draw) => ['touch', ...keys(draw)],
  (draw) => ['type', key(draw)],
  (draw) => ['incr', key(draw)],
  (draw) => ['incr', key(draw)],
  (draw) => ['decr', key(draw)],
  (draw) => ['incrby', key(draw), integer(draw)],
  (draw) => ['decrby', key(draw), integer(draw)],
  (draw) => ['incrbyfloat', key(draw), String(one(draw)).slice(0, 30)],
  (draw) => ['incrbyfloat', key(draw), pick(draw, edges)],
  (draw) => ['append', key(draw), one(draw)],
  (draw) => ['strlen', key(draw)],
  (draw) => ['getrange', key(draw), integer(draw), integer(draw)],
  (draw) => ['substr', key(draw), integer(draw), integer(draw)],
  (draw) => ['setrange', key(draw), String(whole(draw, 200) - 5), one(draw)],
  (draw) => ['expire', key(draw), seconds(draw), ...expireOptions(draw)],
  (draw) => ['pexpire', key(draw), millis(draw), ...expireOptions(draw)],
  (draw) => ['expireat', key(draw), futureSeconds(draw), ...expireOptions(draw)],
  (draw) => ['pexpireat', key(draw), futureMillis(draw), ...expireOptions(draw)],
  (draw) => ['expireat', key(draw), String(whole(draw, 1000))],
  (draw) => ['ttl', key(draw)],
  (draw) => ['pttl', key(draw)],
  (draw) => ['expiretime', key(draw)],
  (draw) => ['pexpiretime', key(draw)],
  (draw) => ['persist', key(draw)],
  (draw) => ['scan', pick(draw, ['0', 'x', '-', '1e3', '99999999999999999999999']), ...scanError(draw)],
  (draw) =>
    draw() < 0.1 ? [pick(draw, ['flushdb', 'flushall']), ...times(() => ['async'], 2)(draw)] : ['dbsize'],
  (draw) => [pick(draw, ['ping', 'echo']), ...times((each) => [one(each)], 2)(draw)],
  (draw) => ['select', pick(draw, ['0', '1', '-1', 'x', '']), ...(draw() < 0.1 ? ['0'] : [])],
  (draw) => [
    'client',
    pick(draw, ['getname', 'setname', 'no-evict', 'foo', 'id']),
    pick(draw, ['on', 'a b', 'n\n', 'x']),
  ],
  () => ['client', 'getname'],
  (draw) => ['config', pick(draw, ['get', 'foo', 'resetstat']), ...times(() => ['nope'], 2)(draw)],
  (draw) => ['auth', ...times((each) => [pick(each, ['default', 'x'])], 3)(draw)],
  (draw) => ['hello', pick(draw, ['1', '4', 'x', '']), ...times(() => ['setname'], 1)(draw)],
  (draw) => [pick(draw, ['foo', 'lpushx2', '', 'a\nb', 'geté']), ...times((each) => [one(each)], 6)(draw)],
  (draw) => [pick(draw, names), ...times((each) => [integer(each)], 3)(draw)],
];

/** A walk that fails, or finds nothing: orders are compared elsewhere. */
const scanError: Make = (draw) =>
  pick(draw, [
    ['count', '0'],
    ['count', 'x'],
    ['foo'],
    ['match'],
    ['type', 'nope', 'count', '100000'],
    ['foo', 'bar'],
  ]);

/** With whatever arguments. */
const names = [
  ...[
    'get',
    'mget',
    'strlen',
    'append',
    'getrange',
    'getex',
    'getdel',
    'incr',
    'decr',
    'incrby',
    'incrbyfloat',
  ],
  ...['ttl', 'persist', 'exists', 'type', 'mset', 'set', 'setrange', 'echo', 'dbsize', 'ping', 'select'],
  ...['client', 'config', 'unlink'],
];

export function randomCommand(draw: Random): Word[] {
  return pick(draw, makers)(draw);
}
