/** Code in a README is run by a spec, which names the README. */
import { dirname, join } from 'node:path';

const snippet = /^```(js|ts|javascript|typescript)\b/m;
/** A README, or the folder of a package. */
const readme = /['`]((?:\.\.\/)+(?:[^'`]*README\.md)?)['`]/g;

/**
 * READMEs with code that no spec runs.
 *
 * @param read the text of a file of the repository
 */
export function unrunReadmes(files: readonly string[], read: (file: string) => string): string[] {
  const specs = files.filter((file) => /(^|\/)readme\.spec\.ts$/.test(file));
  const run = new Set(
    specs.flatMap((spec) =>
      [...read(spec).matchAll(readme)].map(([, path]) =>
        join(dirname(spec), path!.replace(/\/$/, '/README.md')),
      ),
    ),
  );
  return files
    .filter((file) => file.endsWith('README.md') && snippet.test(read(file)) && !run.has(file))
    .map(
      (file) => `${file}:1: no spec runs its code: name it in a readme.spec.ts (tools/readme-snippets.mjs)`,
    );
}
