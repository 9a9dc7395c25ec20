/** The variable parts of binding.gyp: `node scripts/gyp.mjs sources|defines|ldflags|node-addon-api`. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findLibbpf, staticRuntimeFlags } from './toolchain.mjs';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

const answers = {
  sources: () =>
    readdirSync(path.join(packageFolder, 'addon'), { recursive: true })
      .filter((name) => name.endsWith('.cc'))
      .sort()
      .map((name) => `addon/${name}`),
  defines: () => (findLibbpf() === undefined ? [] : ['EXOPOOL_HAVE_LIBBPF']),
  ldflags: staticRuntimeFlags,
  // Relative to build/, where make runs: an absolute path may hold a space, which gyp does not quote.
  'node-addon-api': () => {
    const manifest = createRequire(import.meta.url).resolve('node-addon-api/package.json');
    return [path.relative(path.join(packageFolder, 'build'), path.dirname(manifest))];
  },
};

console.log(answers[process.argv[2]]().join('\n'));
