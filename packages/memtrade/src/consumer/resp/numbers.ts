/** Parses numbers in arguments and values by the strict rules of Redis. */
import { ReplyError } from './reply.js';

export const int64Max = 2n ** 63n - 1n;
export const int64Min = -(2n ** 63n);

/** No blanks, no plus sign, no leading zeros. */
export function parseInteger(text: string): bigint | undefined {
  if (text.length > 20 || !/^(?:0|-?[1-9]\d*)$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >= int64Min && value <= int64Max ? value : undefined;
}

/** @throws ReplyError */
export function integerOf(argument: Buffer): bigint {
  const value = argument.length > 20 ? undefined : parseInteger(argument.toString('latin1'));
  if (value === undefined) throw new ReplyError('ERR value is not an integer or out of range');
  return value;
}
