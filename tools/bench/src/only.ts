/** The effect of `--only` on the parts of a suite. It takes names, or parts of names. */
import { ExopoolError } from '@exopool/shared';

export function isWanted(only: readonly string[] | undefined, name: string): boolean {
  return only?.some((part) => name.includes(part)) ?? true;
}

/** @throws ExopoolError `EXOPOOL_USAGE` for a word that matches no name, since an empty run would look successful. */
export function assertKnown(only: readonly string[] | undefined, names: readonly string[]): void {
  const unknown = only?.find((part) => !names.some((name) => name.includes(part)));
  if (unknown !== undefined)
    throw new ExopoolError(
      'EXOPOOL_USAGE',
      `--only ${unknown}: nothing is named so; there is ${names.join('; ')}`,
    );
}
