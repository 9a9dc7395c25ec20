import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'vm',
    include: ['src/**/*.spec.ts'],
    // A guest takes some ten seconds to boot where there is no KVM, and more on a busy machine.
    testTimeout: 60_000,
  },
});
