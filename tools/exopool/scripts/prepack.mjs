/** `npm pack` and `npm publish` run this first: builds the tools, and puts them together. */
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const prepack = fileURLToPath(new URL('../../prepack.mjs', import.meta.url));

for (const tool of ['vm', 'demo', 'bench', 'cli']) {
  const { status } = spawnSync(process.execPath, [prepack], {
    cwd: `${root}tools/${tool}`,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
await import('./assemble.mjs');
copyFileSync(`${root}LICENSE`, 'LICENSE');
