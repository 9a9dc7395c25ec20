/** A disk that fails while a table is written, on a file system that refuses to be written past the page cache. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { expect, it } from 'vitest';
import { inFolder } from './testing/folder.js';

const script = `
  import { Store } from '@exopool/bpf-storage';
  const store = await Store.open(process.argv[1]);
  const load = () => store.load(Array.from({ length: 20000 }, (_, i) => ['key ' + i, 'x'.repeat(500)]));
  await load().catch((error) => console.log(error.code, error.message));
  console.log(store.stats().tables, (await load()).entries);
  await store.close();
`;

it('fails what was being written, and not only the call that first hears of it', async (context) => {
  const why = await inFolder((folder) => {
    const library = join(folder, 'failing-disk.so');
    const source = join(import.meta.dirname, 'testing', 'failing-disk.c');
    const { status } = spawnSync('gcc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
    if (status !== 0) return Promise.resolve('there is no C compiler');
    const words = ['--input-type=module', '--eval', script, join(folder, 'store')];
    const { stdout } = spawnSync(process.execPath, words, {
      cwd: import.meta.dirname,
      env: { ...process.env, LD_PRELOAD: library },
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/^EXOPOOL_IO cannot write .*: EIO\n0 20000\n$/);
    return Promise.resolve(undefined);
  });
  skipWithout(context, 'compiler', why);
});
