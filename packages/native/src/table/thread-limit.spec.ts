/** A machine that has no thread to spare: what needs one fails, and the process goes on. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { skipWithout } from '@exopool/house';
import { expect, it } from 'vitest';

const addon = fileURLToPath(new URL('../../build/Release/exopool.node', import.meta.url));
/** Who has no process, so that a limit on its threads is this test's alone. */
const nobody = 64_999;
/** Node's own are fewer; with the addon's there are more. */
const threads = [16, 15, 14, 13, 12, 11, 10, 9, 8];

const program = `
  const binding = require(${JSON.stringify(addon)});
  console.log('loaded');
  for (const work of [
    () => binding.ringError(),
    () => new binding.SlabClient(() => undefined).connect('127.0.0.1', 1, Buffer.alloc(32), Buffer.alloc(32), Buffer.alloc(192), 1, 0),
    () => new binding.PressureTrigger().open('/proc/pressure/memory', 'some 150000 2000000', () => undefined),
    () => binding.scanBatch(
      binding.openScan({ memtables: [], runs: [], tables: [], paths: [], view: 1, limit: 1, readPagesMax: 1 }), 1000),
  ]) {
    try { work(); } catch (error) { console.log(error.message); }
  }
  setTimeout(() => process.exit(0), 1).unref();
  process.on('exit', () => console.log('alive'));
`;

function run(most: number): { readonly status: number | null; readonly stdout: string } {
  const limited = `ulimit -c 0; ulimit -u ${most}; exec "$0" -e "$1"`;
  const who = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
  return spawnSync('setpriv', [...who, 'bash', '-c', limited, process.execPath, program], {
    encoding: 'utf8',
  });
}

it('no thread can be started: an error, not the end of the process', (ctx) => {
  const free = process.getuid?.() === 0 ? run(1000) : undefined;
  if (free?.status !== 0)
    skipWithout(ctx, 'open-checkout', 'needs root, setpriv, and an addon that others may read');
  const loaded = threads.map(run).filter(({ stdout }) => stdout.includes('loaded'));
  expect(loaded.filter(({ stdout }) => stdout.includes('Resource temporarily unavailable'))).not.toEqual([]);
  for (const { status, stdout } of loaded) {
    expect(stdout).toContain('alive');
    expect(status).toBe(0);
  }
});
