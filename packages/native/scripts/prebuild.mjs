/**
 * Puts the package's prebuilt files into `prebuilds/`, for this machine's architecture:
 *
 *   prebuilds/linux-x64/   exopool.node, *.bpf.o, exopool-nbd.so, without debug information
 *   prebuilds/dkms/        the module's sources with the contract header, as `dkms add` takes them
 *
 * A package with missing parts is worse than none, so this fails without clang, libbpf's headers or nbdkit. It also
 * fails if a binary needs a newer glibc than the README says.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compareVersions, glibcMax, neededGlibc } from './needed-glibc.mjs';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const release = path.join(packageFolder, 'build', 'Release');
const prebuilds = path.join(packageFolder, 'prebuilds');
const kmod = path.join(packageFolder, 'kernel', 'kmod');

function run(command, words) {
  const { status, error } = spawnSync(command, words, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? `exit status ${status}`}`);
}

function binaries() {
  const binary = (name) => ({ name, place: path.join(release, name) });
  const objects = readdirSync(path.join(packageFolder, 'kernel', 'bpf')).filter((name) =>
    name.endsWith('.bpf.c'),
  );
  const all = ['exopool.node', 'exopool-nbd.so', ...objects.map((name) => name.replace(/c$/, 'o'))].map(
    binary,
  );
  const missing = all.filter(({ place }) => !existsSync(place)).map(({ name }) => name);
  if (missing.length === 0) return all;
  throw new Error(
    `not built: ${missing.join(', ')}; apt-get install clang libbpf-dev nbdkit-plugin-dev libssl-dev, and build again`,
  );
}

function takeBinaries() {
  const folder = path.join(prebuilds, `${process.platform}-${process.arch}`);
  const taken = binaries();
  mkdirSync(folder, { recursive: true });
  for (const { name, place } of taken) {
    const target = path.join(folder, name);
    if (name.endsWith('.bpf.o')) {
      // Its debug sections are BPF's type information, which the kernel needs.
      copyFileSync(place, target);
      continue;
    }
    const needed = neededGlibc(place);
    if (compareVersions(needed, glibcMax) > 0)
      throw new Error(`${name} needs glibc ${needed}; at most ${glibcMax} is promised`);
    run('strip', ['--strip-unneeded', '-o', target, place]);
  }
}

function takeModule() {
  const folder = path.join(prebuilds, 'dkms');
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(kmod).filter((file) => /\.[ch]$|^Kbuild$|^Makefile$/.test(file)))
    copyFileSync(path.join(kmod, name), path.join(folder, name));
  copyFileSync(path.join(packageFolder, 'include', 'driver_abi.h'), path.join(folder, 'driver_abi.h'));
  const { version } = JSON.parse(readFileSync(path.join(packageFolder, 'package.json'), 'utf8'));
  const settings = readFileSync(path.join(kmod, 'dkms.conf'), 'utf8');
  writeFileSync(path.join(folder, 'dkms.conf'), settings.replace('#MODULE_VERSION#', version));
}

rmSync(prebuilds, { recursive: true, force: true });
takeBinaries();
takeModule();
