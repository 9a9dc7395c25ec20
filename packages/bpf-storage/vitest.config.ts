import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'bpf-storage',
    include: ['src/**/*.spec.ts'],
    // Of the project `guests`: tools/vitest.config.ts.
    exclude: [...configDefaults.exclude, 'src/**/*.vm.spec.ts'],
    benchmark: { include: ['src/**/*.bench.ts'] },
    testTimeout: 60_000,
  },
});
