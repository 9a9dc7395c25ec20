/** A run may skip a test that names the feature it lacks, unless this machine must have that feature. Pure. */
import { features, type Feature } from './features.js';
import type { Lack } from './needs.js';

export interface Skip {
  /** File and name of the test. */
  readonly test: string;
  /** Undefined: the test does not say. */
  readonly lack: Lack | undefined;
}

/** The names in `EXOPOOL_TEST_REQUIRE`. @throws when there is no such feature. */
export function requiredFeatures(list = ''): Set<Feature> {
  const names = list.split(',').filter((name) => name !== '');
  for (const name of names)
    if (!Object.hasOwn(features, name))
      throw new Error(
        `EXOPOOL_TEST_REQUIRE: there is no feature '${name}'; there are: ${Object.keys(features).join(', ')}`,
      );
  return new Set(names as Feature[]);
}

/** Returns a line for each skip that may not pass. */
export function refusedSkips(skips: readonly Skip[], required: ReadonlySet<Feature>): string[] {
  return skips.flatMap(({ test, lack }) => {
    if (lack === undefined)
      return [`${test}: skipped without a reason; use needs() or skipWithout() of @exopool/house`];
    const { feature, reason } = lack;
    return required.has(feature)
      ? [`${test}: skipped, but this machine must have '${feature}': ${reason}; ${features[feature]}`]
      : [];
  });
}

/** Counts the skips: a line for each feature and reason. */
export function skipSummary(skips: readonly Skip[]): string[] {
  const counts = new Map<string, number>();
  for (const { lack } of skips) {
    const line = lack === undefined ? 'no reason' : `${lack.feature}: ${lack.reason}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([line, count]) => `${count} x ${line}`);
}
