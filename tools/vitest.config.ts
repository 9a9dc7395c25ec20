import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** All projects in one run, so that one line counts every test. */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: { projects: ['packages/*/vitest.config.ts', 'tools/*/vitest.config.ts'] },
});
