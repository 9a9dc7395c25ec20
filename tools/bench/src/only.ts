/** What `--only` leaves of what a suite can measure: names, or parts of them. */
import { ExopoolError } from '@exopool/shared';

export function isWanted(only: readonly string[] | undefined, name: string): boolean {
  return only?.some((part) => name.includes(part)) ?? true;
}

/** @throws ExopoolError `EXOPOOL_USAGE` for a part that is of no name: a run of nothing would look like a good one. */
export function assertKnown(only: readonly string[] | undefined, names: readonly string[]): void {
  const unknown = only?.find((part) => !names.some((name) => name.includes(part)));
  if (unknown !== undefined)
    throw new ExopoolError(
      'EXOPOOL_USAGE',
      `--only ${unknown}: nothing is named so; there is ${names.join('; ')}`,
    );
}
