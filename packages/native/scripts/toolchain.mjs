/**
 * The build tools of this machine. The printed text is part of the key of the build cache (see `native` in nx.json):
 * another compiler, or a change of libbpf, is another build.
 *
 * `EXOPOOL_WITHOUT_LIBBPF=1` and `EXOPOOL_WITHOUT_CLANG=1` act as if the package were missing, so that builds without
 * it can be tested anywhere.
 */
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const output = (command, args, input) => {
  const run = spawnSync(command, args, { encoding: 'utf8', input });
  return run.status === 0 ? run.stdout.trim() : undefined;
};

const firstLine = (command, args) => output(command, args)?.split('\n')[0];

const compiler = () => process.env.CXX ?? 'c++';

/**
 * Version of libbpf's headers, or undefined without them: asked of the compiler that will include them. The library
 * itself is opened at run time (see addon/base/bpf_library.hh), so an addon built here also loads without it.
 */
export function findLibbpf() {
  if (process.env.EXOPOOL_WITHOUT_LIBBPF === '1') return undefined;
  const probe = '#include <bpf/libbpf.h>\nEXOPOOL_VERSION LIBBPF_MAJOR_VERSION LIBBPF_MINOR_VERSION\n';
  const preprocessed = output(compiler(), ['-E', '-P', '-x', 'c++', '-'], probe);
  const version = /EXOPOOL_VERSION (\d+) (\d+)/.exec(preprocessed ?? '');
  return version === null || Number(version[1]) < 1 ? undefined : `${version[1]}.${version[2]}`;
}

/** Version line of the clang that makes BPF objects, or undefined. */
export function findClang() {
  return process.env.EXOPOOL_WITHOUT_CLANG === '1' ? undefined : firstLine('clang', ['--version']);
}

/**
 * Version of nbdkit's header for plugins, or undefined without it or without OpenSSL's headers: the plugin links with
 * the system's OpenSSL, the addon with the one in the node binary.
 */
export function findNbdkit() {
  const probe = '#include <openssl/evp.h>\n#include <nbdkit-plugin.h>\nEXOPOOL_FOUND\n';
  const preprocessed = output(compiler(), ['-E', '-P', '-x', 'c++', '-'], probe);
  return preprocessed?.includes('EXOPOOL_FOUND') ? firstLine('nbdkit', ['--version']) : undefined;
}

/**
 * Linker flags that link the C++ runtime statically if its archive is installed: then one binary runs with every
 * libstdc++. The copy is hidden, since the node binary has another one. Unused parts are left out, since some need a
 * newer glibc. libgcc stays outside: its archive needs glibc 2.35, and node itself loads it.
 */
export function staticRuntimeFlags() {
  const archive = output(compiler(), ['-print-file-name=libstdc++.a']);
  if (archive === undefined || !path.isAbsolute(archive)) return [];
  return ['-static-libstdc++', '-Wl,--exclude-libs,ALL', '-Wl,--gc-sections'];
}

export function describeToolchain() {
  return [
    `node ${process.version} ${process.arch}`,
    `compiler ${firstLine(compiler(), ['--version']) ?? 'none'}`,
    `clang ${findClang() ?? 'none'}`,
    `libbpf ${findLibbpf() ?? 'none'}`,
    `nbdkit ${findNbdkit() ?? 'none'}`,
    `EXOPOOL_WITHOUT_LIBBPF=${process.env.EXOPOOL_WITHOUT_LIBBPF ?? ''}`,
    `EXOPOOL_WITHOUT_CLANG=${process.env.EXOPOOL_WITHOUT_CLANG ?? ''}`,
  ].join('\n');
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  console.log(describeToolchain());
}
