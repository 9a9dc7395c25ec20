/**
 * `npm pack` and `npm publish` run this in a package's folder first. It builds the package and copies the licence into
 * it. It also removes files of `dist` whose source is gone, because the compiler leaves them there.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const outputs = /\.(js|js\.map|d\.ts)$/;
const isStale = (file) => !outputs.test(file) || !existsSync(join('src', file.replace(outputs, '.ts')));

const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [compiler, '-b', 'tsconfig.lib.json'], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
const files = readdirSync('dist', { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
for (const { parentPath, name } of files) {
  const file = relative('dist', join(parentPath, name));
  if (!file.endsWith('.tsbuildinfo') && isStale(file)) rmSync(join('dist', file));
}
copyFileSync(join(root, 'LICENSE'), 'LICENSE');
