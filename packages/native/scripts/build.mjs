/**
 * Builds the native parts: `build/Release/exopool.node` (node-gyp, incremental), one `build/Release/<name>.bpf.o` for
 * each `kernel/bpf/<name>.bpf.c` (clang), and nbdkit's plugin. Builds in one folder take turns by a file lock.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNbdPlugin } from './nbd-plugin.mjs';
import { findClang, findLibbpf, findNbdkit } from './toolchain.mjs';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const release = path.join(packageFolder, 'build', 'Release');
const lockedFlag = '--locked';

/** Runs a command in the package's folder and ends this process when it fails. */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: packageFolder, stdio: 'inherit' });
  if (error !== undefined) console.error(`build: cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

/** Node's headers if they are installed with it, else undefined: node-gyp then downloads them. */
function installedHeaders() {
  const prefix = path.resolve(process.execPath, '..', '..');
  const header = path.join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(header)) return undefined;
  const text = readFileSync(header, 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH'].map((part) =>
    new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.at(1),
  );
  return `v${version.join('.')}` === process.version ? prefix : undefined;
}

/** The checkout's node-gyp, else the one that npm provides for its scripts. */
function findNodeGyp() {
  try {
    return createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  } catch (error) {
    if (process.env.npm_config_node_gyp !== undefined) return process.env.npm_config_node_gyp;
    console.error(`build: cannot find node-gyp (${error.code}); run it by npm: npm run build-from-source`);
    process.exit(1);
  }
}

function buildAddon() {
  const nodeGyp = findNodeGyp();
  const headers = installedHeaders();
  const options = [`--jobs=${availableParallelism()}`, '--loglevel=warn'];
  if (headers !== undefined) options.push(`--nodedir=${headers}`);
  run(process.execPath, [nodeGyp, 'configure', 'build', ...options]);
}

const bpfArchitectures = { x64: 'x86', arm64: 'arm64' };

function buildBpfObjects() {
  const names = readdirSync(path.join(packageFolder, 'kernel', 'bpf')).filter((name) =>
    name.endsWith('.bpf.c'),
  );
  for (const name of names) {
    const object = path.join(release, name.replace(/c$/, 'o'));
    if (findClang() === undefined || findLibbpf() === undefined) {
      rmSync(object, { force: true });
      continue;
    }
    const flags = ['-g', '-O2', '-target', 'bpf', '-mcpu=v3', '-D__BPF__', '-Wall', '-Wextra', '-Werror'];
    const target = `-D__TARGET_ARCH_${bpfArchitectures[process.arch] ?? process.arch}`;
    run('clang', [...flags, target, '-Iinclude', '-c', `kernel/bpf/${name}`, '-o', `${object}.tmp`]);
    renameSync(`${object}.tmp`, object);
  }
}

function main() {
  mkdirSync(release, { recursive: true });
  if (!process.argv.includes(lockedFlag)) {
    const lock = path.join(packageFolder, 'build', '.lock');
    return run('flock', [lock, process.execPath, fileURLToPath(import.meta.url), lockedFlag]);
  }
  console.log(`libbpf: ${findLibbpf() ?? 'not found, the BPF engines are left out'}`);
  console.log(`clang: ${findClang() ?? 'not found, no BPF programs are built'}`);
  console.log(`nbdkit: ${findNbdkit() ?? 'not found, its plugin is left out'}`);
  buildAddon();
  buildBpfObjects();
  buildNbdPlugin(packageFolder, path.join(release, 'exopool-nbd.so'), run);
}

main();
