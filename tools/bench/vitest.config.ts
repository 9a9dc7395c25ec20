import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'bench',
    include: ['src/**/*.spec.ts'],
    benchmark: { include: ['src/**/*.bench.ts'] },
    testTimeout: 60_000,
  },
});
