import { defineConfig } from 'vitest/config';

/** All projects in one run, so that one line counts every test. */
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: { projects: ['packages/*', 'tools/*/'] },
});
