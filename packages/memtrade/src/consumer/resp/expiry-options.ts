/** Parses the options of SET, GETEX and EXPIRE, and their times. */
import { int64Max, int64Min, integerOf } from './numbers.js';
import { ReplyError } from './reply.js';

export interface ExpiryOption {
  readonly time?: Buffer | undefined;
  readonly unitMs: 1 | 1000;
  /** The time counts from the Unix epoch instead of from now. */
  readonly isAbsolute: boolean;
}

export interface SetOptions extends ExpiryOption {
  readonly nx: boolean;
  readonly xx: boolean;
  readonly get: boolean;
  readonly keepTtl: boolean;
  readonly persist: boolean;
}

const times: ReadonlyMap<string, Pick<ExpiryOption, 'unitMs' | 'isAbsolute'>> = new Map([
  ['ex', { unitMs: 1000, isAbsolute: false }],
  ['px', { unitMs: 1, isAbsolute: false }],
  ['exat', { unitMs: 1000, isAbsolute: true }],
  ['pxat', { unitMs: 1, isAbsolute: true }],
]);

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** @throws ReplyError */
export function parseSetOptions(args: readonly Buffer[], command: 'set' | 'getex'): SetOptions {
  const options: Mutable<SetOptions> = {
    nx: false,
    xx: false,
    get: false,
    keepTtl: false,
    persist: false,
    unitMs: 1,
    isAbsolute: false,
  };
  let timeName: string | undefined;
  const takeFlag = (word: string): boolean => {
    if (command === 'getex') {
      if (word !== 'persist' || timeName !== undefined) return false;
      return (options.persist = true);
    }
    if (word === 'nx' && !options.xx) return (options.nx = true);
    if (word === 'xx' && !options.nx) return (options.xx = true);
    if (word === 'get') return (options.get = true);
    return word === 'keepttl' && timeName === undefined && (options.keepTtl = true);
  };
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!.toString('latin1', 0, 16).toLowerCase();
    const time = times.get(word);
    const mayHaveTime = !options.keepTtl && !options.persist && (timeName ?? word) === word;
    if (time !== undefined && mayHaveTime && at + 1 < args.length) {
      timeName = word;
      Object.assign(options, time, { time: args[++at] });
    } else if (!takeFlag(word)) {
      throw new ReplyError('ERR syntax error');
    }
  }
  return options;
}

/**
 * Unix time in milliseconds; `undefined` without the option. Times beyond 2^53, after the year 287,000, are rounded.
 * @throws ReplyError
 */
export function expiryOf(
  option: ExpiryOption & { readonly time: Buffer },
  nowMs: number,
  command: Buffer,
): number;
export function expiryOf(option: ExpiryOption, nowMs: number, command: Buffer): number | undefined;
export function expiryOf(option: ExpiryOption, nowMs: number, command: Buffer): number | undefined {
  if (option.time === undefined) return undefined;
  const time = integerOf(option.time);
  const atMs = time * BigInt(option.unitMs) + (option.isAbsolute ? 0n : BigInt(nowMs));
  if (time <= 0n || atMs > int64Max) throw invalidExpiry(command);
  return Number(atMs);
}

/** Unix time in milliseconds for EXPIRE, where it may be in the past. @throws ReplyError */
export function anyExpiryOf(
  { time, unitMs, isAbsolute }: ExpiryOption & { readonly time: Buffer },
  nowMs: number,
  command: Buffer,
): number {
  const timeMs = integerOf(time) * BigInt(unitMs);
  const atMs = timeMs + (isAbsolute ? 0n : BigInt(nowMs));
  if (timeMs > int64Max || timeMs < int64Min || atMs > int64Max) throw invalidExpiry(command);
  return Number(atMs);
}

function invalidExpiry(command: Buffer): ReplyError {
  return new ReplyError(`ERR invalid expire time in '${command.toString('latin1').toLowerCase()}' command`);
}

export interface ExpireCondition {
  readonly nx: boolean;
  readonly xx: boolean;
  readonly gt: boolean;
  readonly lt: boolean;
}

/** @throws ReplyError */
export function parseExpireCondition(args: readonly Buffer[]): ExpireCondition {
  const condition = { nx: false, xx: false, gt: false, lt: false };
  for (const argument of args) {
    const text = argument.toString('latin1');
    const word = text.toLowerCase();
    if (word !== 'nx' && word !== 'xx' && word !== 'gt' && word !== 'lt') {
      throw new ReplyError(`ERR Unsupported option ${text.split('\0', 1)[0]!.slice(0, 128)}`);
    }
    condition[word] = true;
  }
  const { nx, xx, gt, lt } = condition;
  if (nx && (xx || gt || lt)) {
    throw new ReplyError('ERR NX and XX, GT or LT options at the same time are not compatible');
  }
  if (gt && lt) throw new ReplyError('ERR GT and LT options at the same time are not compatible');
  return condition;
}

/** @param currentMs 0 for a key that never expires; it counts as later than any time. */
export function meetsCondition(
  { nx, xx, gt, lt }: ExpireCondition,
  currentMs: number,
  nextMs: number,
): boolean {
  const isForever = currentMs === 0;
  if (nx && !isForever) return false;
  if (xx && isForever) return false;
  if (gt && (isForever || nextMs <= currentMs)) return false;
  return !(lt && !isForever && nextMs >= currentMs);
}
