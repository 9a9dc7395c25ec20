/** What every reader yields, and the errors that name the place in the input. */
import { EXO_KEY_MAX, EXO_VALUE_MAX } from '@exopool/native/contracts';
import { ExopoolError } from '@exopool/shared';

export type Entry = readonly [key: Buffer, value: Buffer];

/** An input that is not what it should be, with the line (from 1) where that shows. */
export function inputError(source: string, line: number, problem: string, cause?: unknown): ExopoolError {
  return new ExopoolError('EXOPOOL_INPUT', `${source}, line ${line}: ${problem}`, { cause });
}

/** An entry within the store's limits, checked here because here the line is known. @throws ExopoolError `EXOPOOL_INPUT`. */
export function makeEntry(source: string, line: number, key: Buffer, value: Buffer): Entry {
  if (key.length === 0) throw inputError(source, line, 'the key is empty');
  if (key.length > EXO_KEY_MAX) {
    throw inputError(source, line, `the key has ${key.length} bytes; at most ${EXO_KEY_MAX} are possible`);
  }
  if (value.length > EXO_VALUE_MAX) {
    throw inputError(
      source,
      line,
      `the value has ${value.length} bytes; at most ${EXO_VALUE_MAX} are possible`,
    );
  }
  return [key, value];
}
