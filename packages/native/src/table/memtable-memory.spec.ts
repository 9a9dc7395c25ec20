/** A machine without memory for a batch: nothing of it is done, and the memtable goes on. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { skipWithout } from '@exopool/house';
import { expect, it } from 'vitest';

const addon = fileURLToPath(new URL('../../build/Release/exopool.node', import.meta.url));

/** 64 values of 100 kB in a process that may take 3 MB more, after one that fits and before another. */
const program = `
  import { execFileSync } from 'node:child_process';
  import { readFileSync } from 'node:fs';
  import { createRequire } from 'node:module';
  const binding = createRequire(${JSON.stringify(import.meta.url)})(${JSON.stringify(addon)});
  const batchOf = (count, valueBytes) => Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const header = Buffer.alloc(8 + 4 + valueBytes);
      header.writeUInt16LE(4, 2);
      header.writeUInt32LE(valueBytes, 4);
      header.write('k' + String(index).padStart(3, '0'), 8);
      return header;
    }),
  );
  const [first, large, last] = [batchOf(1, 10), batchOf(64, 100_000), batchOf(2, 10)];
  const [one, full] = [binding.newMemtable(), binding.newMemtable()];
  console.log('first', binding.memtableApply(one, first, 1));
  console.log('other', binding.memtableApply(full, large, 2) > 64 * 100_000);
  const usedBytes = Number(/VmSize:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) * 1024;
  execFileSync('prlimit', ['--pid=' + process.pid, '--as=' + (usedBytes + 3e6) + ':']);
  console.log('large', binding.memtableApply(one, large, 2));
  console.log('absorbed', binding.memtableAbsorb(one, full));
  const lengths = (view) => ['k000', 'k001', 'k002'].map((key) => binding.memtableGet(one, Buffer.from(key), view)?.length ?? -1);
  console.log('then', ...lengths(1000));
  console.log('last', binding.memtableApply(one, last, 2));
  console.log('end', ...lengths(1000));
`;

it('a batch that finds no memory, and a memtable that finds none to be absorbed, are not there in part', async (ctx) => {
  const words = ['--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, words).catch((error: unknown) => {
    if (/spawnSync prlimit/.test(String(error))) skipWithout(ctx, 'util-linux', 'prlimit cannot run');
    throw error;
  });
  const [firstBytes, lastBytes] = ['first', 'last'].map((name) =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stdout)?.[1]),
  );
  expect(stdout.split('\n').slice(1, 5)).toEqual(['other true', 'large -2', 'absorbed -2', 'then 10 -1 -1']);
  expect(stdout).toMatch(/^end 10 10 -1$/m);
  // Memory of what failed was given back: there are three small nodes, of at most twelve links.
  expect(lastBytes! - firstBytes!).toBeLessThan(2 * 150);
});
