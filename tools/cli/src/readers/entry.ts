/** What every reader yields, and the errors that name the place in the input. */
import { ExopoolError } from '@exopool/shared';

export type Entry = readonly [key: Buffer, value: Buffer];

/** The store's own limits, checked here because here the line is known. */
export const keyBytesMax = 511;
const valueBytesMax = 16 << 20;

/** An input that is not what it should be, with the line (from 1) where that shows. */
export function inputError(source: string, line: number, problem: string, cause?: unknown): ExopoolError {
  return new ExopoolError('EXOPOOL_INPUT', `${source}, line ${line}: ${problem}`, { cause });
}

/** An entry within the store's limits. @throws ExopoolError `EXOPOOL_INPUT`. */
export function makeEntry(source: string, line: number, key: Buffer, value: Buffer): Entry {
  if (key.length === 0) throw inputError(source, line, 'the key is empty');
  if (key.length > keyBytesMax) {
    throw inputError(source, line, `the key has ${key.length} bytes; at most ${keyBytesMax} are possible`);
  }
  if (value.length > valueBytesMax) {
    throw inputError(source, line, `the value has ${value.length} bytes; at most 16 MiB are possible`);
  }
  return [key, value];
}
