/**
 * Builds exopool.ko, and a hooked nvme.ko if the distribution's source of the driver is given, for one kernel:
 *
 *   node scripts/build-kmod.mjs OUT [--headers FOLDER] [--driver-source FOLDER|TAR] [--programs FOLDER]
 *
 * OUT gets `exopool.ko` and `nvme.ko`. Headers are those of the running kernel unless named; they may lie in an
 * unpacked Debian package. The driver's source is a kernel tree, or a tar of one such as Debian's linux-source-6.12. It
 * neither installs nor loads a module. `--programs` is the first place to look for pahole.
 *
 * The module's BPF type needs type information (BTF), which is made from the kernel's. That takes pahole, and a file
 * `vmlinux` in the headers' folder; Debian's packages have it.
 *
 * The compiler is CC, else cc, and may differ from the kernel's. Tested: gcc 12 for Debian's 6.12 and 7.2, which were
 * built with gcc 14 and 16.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { addNvmeHook } from './nvme-hook-edit.mjs';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const kmod = path.join(packageFolder, 'kernel', 'kmod');
const driverPath = 'drivers/nvme/host';

/** Other drivers of the folder, and the core, which stays the distribution's. */
const driverSettings = [
  'CONFIG_BLK_DEV_NVME=m',
  ...['CORE', 'FABRICS', 'RDMA', 'FC', 'TCP', 'APPLE'].map((name) => `CONFIG_NVME_${name}=`),
];

function fail(message) {
  console.error(`build-kmod: ${message}`);
  process.exit(1);
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) fail(`cannot run ${command}: ${error.message}`);
  if (status !== 0) fail(`${command} failed`);
}

/** Settings for a compiler older than the kernel's: unknown flags and attributes. */
function compilerSettings() {
  const compiler = process.env.CC ?? 'cc';
  const probe = ['-fmin-function-alignment=16', '-c', '-x', 'c', '/dev/null', '-o', '/dev/null'];
  const settings = [`CC=${compiler}`];
  if (spawnSync(compiler, probe).status !== 0)
    settings.push('CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=', 'KCFLAGS=-Wno-attributes');
  return settings;
}

function checkHeaders(headers) {
  if (!existsSync(path.join(headers, 'Makefile'))) {
    fail(
      `no kernel headers in ${headers}; apt-get install linux-headers-${release()}, or name them: --headers`,
    );
  }
  if (!existsSync(path.join(headers, 'vmlinux'))) {
    fail(`${headers} has no vmlinux to take types from; for the running kernel:
  cp /sys/kernel/btf/vmlinux ${headers}/vmlinux`);
  }
  if (spawnSync('pahole', ['--version']).status !== 0) fail('pahole is missing: apt-get install pahole');
}

function make(headers, folder, settings = []) {
  run('make', ['-s', '-C', headers, `M=${folder}`, ...compilerSettings(), ...settings, 'modules']);
}

/** The module's sources and the contract, in a folder of their own: the build leaves its files beside them. */
function buildModule(headers, folder) {
  mkdirSync(folder);
  const sources = readdirSync(kmod).filter((name) => /\.[ch]$|^Kbuild$/.test(name));
  for (const name of sources) copyFileSync(path.join(kmod, name), path.join(folder, name));
  copyFileSync(path.join(packageFolder, 'include', 'driver_abi.h'), path.join(folder, 'driver_abi.h'));
  make(headers, folder);
  return path.join(folder, 'exopool.ko');
}

function takeDriverSource(source, folder) {
  mkdirSync(folder);
  if (statSync(source).isDirectory()) {
    cpSync(path.join(source, driverPath), folder, { recursive: true });
    return;
  }
  const strip = `--strip-components=${1 + driverPath.split('/').length}`;
  run('tar', ['-xf', source, '-C', folder, strip, '--wildcards', `*/${driverPath}/*`]);
}

function buildDriver(headers, source, folder) {
  takeDriverSource(source, folder);
  const driver = path.join(folder, 'pci.c');
  writeFileSync(driver, addNvmeHook(readFileSync(driver, 'utf8')));
  copyFileSync(path.join(kmod, 'nvme_hook.h'), path.join(folder, 'nvme_hook.h'));
  make(headers, folder, driverSettings);
  return path.join(folder, 'nvme.ko');
}

function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      headers: { type: 'string' },
      'driver-source': { type: 'string' },
      programs: { type: 'string' },
    },
  });
  if (positionals.length !== 1)
    fail('usage: build-kmod.mjs OUT [--headers FOLDER] [--driver-source FOLDER|TAR] [--programs FOLDER]');
  if (values.programs !== undefined)
    process.env.PATH = `${path.resolve(values.programs)}${path.delimiter}${process.env.PATH}`;
  const out = path.resolve(positionals[0]);
  const headers = path.resolve(values.headers ?? `/lib/modules/${release()}/build`);
  checkHeaders(headers);
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(path.join(tmpdir(), 'exopool-kmod-'));
  try {
    const built = [buildModule(headers, path.join(folder, 'exopool'))];
    const source = values['driver-source'];
    if (source !== undefined)
      built.push(buildDriver(headers, path.resolve(source), path.join(folder, 'nvme')));
    for (const file of built) {
      const target = path.join(out, path.basename(file));
      copyFileSync(file, `${target}.tmp`);
      renameSync(`${target}.tmp`, target);
      console.log(target);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
