/** What the tests of all packages have in common. */
import { configDefaults, defineConfig } from 'vitest/config';

/**
 * Limits for what hangs, not for what is slow: on two shared cores, beside other tests, everything takes many times as
 * long as alone.
 */
export const limits = {
  testTimeout: 300_000,
  hookTimeout: 300_000,
  // Below the others, so that the condition is what the failure tells.
  expect: { poll: { timeout: 120_000 } },
  // What is told of a skipped test has its line.
  includeTaskLocation: true,
};

/** @param {string} name of the package. */
export const testsOf = (name) =>
  defineConfig({
    test: {
      name,
      include: ['src/**/*.spec.ts'],
      // Of the projects `machine` and `guests`: tools/vitest.config.ts.
      exclude: [...configDefaults.exclude, 'src/**/*.{machine,vm}.spec.ts'],
      benchmark: { include: ['src/**/*.bench.ts'] },
      ...limits,
    },
  });
