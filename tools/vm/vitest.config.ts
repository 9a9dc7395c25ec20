import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'vm',
    include: ['src/**/*.spec.ts'],
    // Of the project `guests`: tools/vitest.config.ts.
    exclude: [...configDefaults.exclude, 'src/**/*.vm.spec.ts'],
    // A guest takes some ten seconds to boot where there is no KVM, and more on a busy machine.
    testTimeout: 60_000,
  },
});
