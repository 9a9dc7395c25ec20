/** Code in a README is run by a spec of its package. */
import { dirname, join } from 'node:path';

const snippet = /^```(js|ts|javascript|typescript)\b/m;

/**
 * READMEs with code that no spec runs.
 *
 * @param read the text of a file of the repository
 */
export function unrunReadmes(files: readonly string[], read: (file: string) => string): string[] {
  const specs = files.filter((file) => /(^|\/)(readme\.spec\.ts|readmes?[^/]*\.spec\.ts)$/.test(file));
  return files
    .filter((file) => file.endsWith('README.md') && snippet.test(read(file)))
    .filter((file) => {
      const folder = dirname(file);
      return !specs.some((spec) =>
        folder === '.' ? runsRoot(read(spec)) : spec.startsWith(join(folder, '/')),
      );
    })
    .map((file) => `${file}:1: its code is run by no spec: add ${join(dirname(file), 'src/readme.spec.ts')}`);
}

/** The root is no package: a spec of any runs it, and names it. */
const runsRoot = (spec: string): boolean => /\.\.\/\.\.\/\.\.\/README\.md/.test(spec);
