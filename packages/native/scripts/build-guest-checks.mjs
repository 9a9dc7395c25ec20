/**
 * Builds the programs that check and measure the driver in guests, and the BPF programs that they load:
 * `node scripts/build-guest-checks.mjs OUT`. They are ordinary programs, since JavaScript is slow under emulation.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const compiler = process.env.CXX ?? 'c++';
const flags = [
  '-std=c++17',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-DEXOPOOL_HAVE_LIBBPF',
  '-Iinclude',
  '-Iaddon',
];

const client = ['driver_client', 'bpf_library'];
const tables = ['table_file', 'table_walk', 'table_lookup', 'crc32c', 'bpf_engine', 'ring_engine', 'ring'];

/** What of the addon a program needs besides the client. */
const needs = { instructions: ['ring'], lookup_check: ['driver_engine', ...tables] };

function fail(message) {
  console.error(`build-guest-checks: ${message}`);
  process.exit(1);
}

function build(name, out) {
  const sources = [...client, ...(needs[name] ?? [])].map((unit) => `addon/${unit}.cc`);
  const args = [
    ...flags,
    `kmod/guest/${name}.cc`,
    ...sources,
    '-o',
    path.join(out, name),
    '-ldl',
    '-lpthread',
  ];
  const { status, error } = spawnSync(compiler, args, { cwd: packageFolder, stdio: 'inherit' });
  if (status !== 0) fail(error?.message ?? `${compiler} failed for ${name}`);
}

function main() {
  const out = process.argv[2] === undefined ? undefined : path.resolve(process.argv[2]);
  if (out === undefined) fail('usage: build-guest-checks.mjs OUT');
  mkdirSync(out, { recursive: true });
  for (const file of readdirSync(path.join(packageFolder, 'kmod', 'guest'))) {
    if (file.endsWith('.cc')) build(path.basename(file, '.cc'), out);
  }
  for (const name of ['driver_chase.bpf.o', 'driver_lookup.bpf.o']) {
    const object = path.join(packageFolder, 'build', 'Release', name);
    if (!existsSync(object)) fail(`${object} is missing: it takes clang and libbpf-dev, and nx build native`);
    copyFileSync(object, path.join(out, name));
  }
}

main();
