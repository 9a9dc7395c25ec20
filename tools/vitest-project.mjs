/** Settings that the tests of all packages share. */
import { configDefaults, defineConfig } from 'vitest/config';

/**
 * Limits for what hangs, not for what is slow: on two shared cores, beside other tests, everything takes many times as
 * long as alone.
 */
export const limits = {
  testTimeout: 300_000,
  hookTimeout: 300_000,
  // This limit is below the others, so that a failure names the condition.
  expect: { poll: { timeout: 120_000 } },
  // A report of a skipped test then has its line.
  includeTaskLocation: true,
};

/** @param {string} name of the package. */
export const testsOf = (name) =>
  defineConfig({
    test: {
      name,
      include: ['src/**/*.spec.ts'],
      // These belong to the projects `machine` and `guests` (tools/vitest.config.ts).
      exclude: [...configDefaults.exclude, 'src/**/*.{machine,vm}.spec.ts'],
      benchmark: { include: ['src/**/*.bench.ts'] },
      ...limits,
    },
  });
