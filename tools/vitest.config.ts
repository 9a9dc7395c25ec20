import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { FloorReporter } from './house/src/floor-reporter.js';
import { limits } from './vitest-project.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** All projects in one run, so that one line counts every test. */
export default defineConfig({
  root,
  test: {
    // Tests wait more than they compute: two at a time also on two cores, where vitest's default is one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: ['default', new FloorReporter()],
    projects: [
      'packages/*/vitest.config.ts',
      'tools/*/vitest.config.ts',
      {
        test: {
          name: 'machine',
          root,
          include: ['{packages,tools}/*/src/**/*.machine.spec.ts'],
          // Swap, of which the kernel has one: one at a time, and beside no other.
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
          ...limits,
        },
      },
      {
        test: {
          name: 'guests',
          root,
          include: ['{packages,tools}/*/src/**/*.vm.spec.ts'],
          globalSetup: 'tools/vm/src/testing/guests-setup.ts',
          // After all others, with which they would compete for the CPUs; two at a time, for the memory.
          sequence: { groupOrder: 2 },
          maxWorkers: 2,
          ...limits,
        },
      },
    ],
  },
});
