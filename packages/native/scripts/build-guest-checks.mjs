/**
 * Builds the programs that check and measure the driver in guests, with the BPF programs that they load:
 * `node scripts/build-guest-checks.mjs OUT`.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { buildPrograms, release } from './standalone.mjs';

function fail(message) {
  console.error(`build-guest-checks: ${message}`);
  process.exit(1);
}

if (process.argv[2] === undefined) fail('usage: build-guest-checks.mjs OUT');
const out = path.resolve(process.argv[2]);
mkdirSync(out, { recursive: true });
buildPrograms('kernel/kmod/guest', out);
for (const name of ['driver_chase.bpf.o', 'driver_lookup.bpf.o']) {
  const object = path.join(release, name);
  if (!existsSync(object)) fail(`${object} is missing: it takes clang and libbpf-dev, and nx build native`);
  copyFileSync(object, path.join(out, name));
}
