/**
 * Builds traversals. The result is a *bundle*: a folder with the programs for the kernel, the native twin, and a manifest
 * with the hash of each. The hashes ensure that kernel and user level run the same source.
 *
 * ```
 *   list.c --clang -target bpf--> page_cache.bpf.o, loop.bpf.o  \
 *          --cc -shared---------> twin.so                         > list.traversal/ + manifest.json
 * ```
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TableEngine } from '@exopool/native';
import { traversalSourceFolder } from '@exopool/native/internal';
import { TRAVERSAL_ABI } from '@exopool/native/contracts';
import { ExopoolError, toExopoolError } from '@exopool/shared';

const manifestName = 'manifest.json';
const twinName = 'twin.so';
const programNames = {
  'page-cache-bpf': 'page_cache.bpf.o',
  'io-uring-bpf': 'loop.bpf.o',
  'nvme-bpf': 'loop.bpf.o',
};
const bpfTargets: Readonly<Record<string, string>> = { x64: 'x86', arm64: 'arm64' };
const clangFix = 'apt-get install clang libbpf-dev';
const ccFix = 'apt-get install gcc libc6-dev';

interface Manifest {
  readonly abi: number;
  /** SHA-256 of the source, hexadecimal. */
  readonly source: string;
  /** SHA-256 of each file of the bundle. */
  readonly files: Readonly<Record<string, string>>;
}

/** A bundle on disk, checked. */
export interface TraversalBundle {
  /** Path of the shared object for user level. */
  readonly twin: string;
  /** The program for an engine; `undefined` if the bundle was built without clang. */
  program(engine: TableEngine): string | undefined;
}

/** The result of {@link buildTraversal}. */
export interface BuiltTraversal {
  /** The folder of the bundle. */
  readonly object: string;
  /** Whether the bundle has programs for the kernel. Without clang it has none, and only `pread` and `io-uring` run it. */
  readonly forKernel: boolean;
  /** What to do to get programs for the kernel. */
  readonly fix?: string;
}

/** Warnings are errors: a cast that removes `const` from the input or the block is refused here. */
const warnings = ['-Wall', '-Wextra', '-Werror', '-Wcast-qual', '-Wno-unused-parameter'];

/**
 * Compiles a traversal with gcc, and with clang for the kernel. It replaces a bundle at `out` as a whole.
 * @param source path of a C file. @param out path of the bundle. Default: `source` with `.traversal` in place of `.c`.
 * @throws ExopoolError `EXOPOOL_NOT_FOUND`; `EXOPOOL_TRAVERSAL` with the messages of the compiler; `EXOPOOL_UNSUPPORTED`
 * without a C compiler; `EXOPOOL_INVALID` if `out` exists and is not a bundle.
 */
export function buildTraversal(
  source: string,
  out = source.replace(/(\.c)?$/, '.traversal'),
): BuiltTraversal {
  const absolute = path.resolve(source);
  if (!existsSync(absolute))
    throw new ExopoolError('EXOPOOL_NOT_FOUND', `there is no file ${source}; check the path`);
  const scratch = makeScratch(out);
  try {
    const hasClang = isProgram('clang');
    const names = hasClang ? [...new Set(Object.values(programNames)), twinName] : [twinName];
    if (hasClang) for (const name of names.slice(0, -1)) compileProgram(absolute, name, scratch);
    compileTwin(absolute, scratch);
    const files = Object.fromEntries(names.map((name) => [name, hashOf(path.join(scratch, name))]));
    const manifest: Manifest = { abi: TRAVERSAL_ABI, source: hashOf(absolute), files };
    writeFileSync(path.join(scratch, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`);
    replace(out, scratch);
    return hasClang
      ? { object: out, forKernel: true }
      : { object: out, forKernel: false, fix: `${clangFix}, and build again` };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function makeScratch(out: string): string {
  try {
    return mkdtempSync(`${path.resolve(out)}-`);
  } catch (error) {
    throw toExopoolError(error, `cannot create ${out}`);
  }
}

/**
 * Opens a bundle, and checks that its files were built together.
 * @throws ExopoolError `EXOPOOL_NOT_FOUND`, `EXOPOOL_VERSION` for a bundle of another exopool, `EXOPOOL_CORRUPT`.
 */
export function openBundle(object: string): TraversalBundle {
  const manifest = readManifest(object);
  for (const [name, hash] of Object.entries(manifest.files)) {
    const file = path.join(object, name);
    if (path.basename(name) !== name || !existsSync(file) || hashOf(file) !== hash)
      throw new ExopoolError(
        'EXOPOOL_CORRUPT',
        `${file} has changed since it was built; build the traversal again`,
      );
  }
  if (!(twinName in manifest.files))
    throw new ExopoolError('EXOPOOL_CORRUPT', `${object} has no native twin; build the traversal again`);
  return {
    twin: path.resolve(object, twinName),
    program: (engine) => {
      const name = (programNames as Partial<Record<TableEngine, string>>)[engine];
      return name !== undefined && name in manifest.files ? path.resolve(object, name) : undefined;
    },
  };
}

function readManifest(object: string): Manifest {
  let manifest: Partial<Manifest>;
  try {
    manifest = JSON.parse(readFileSync(path.join(object, manifestName), 'utf8')) as Partial<Manifest>;
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new ExopoolError(
        'EXOPOOL_CORRUPT',
        `the manifest of ${object} is damaged; build the traversal again`,
        { cause: error },
      );
    throw toExopoolError(error, `${object} is not a traversal; exopool traversal build makes one`);
  }
  if (manifest.abi !== TRAVERSAL_ABI)
    throw new ExopoolError('EXOPOOL_VERSION', `another exopool built ${object}; build it again`);
  if (typeof manifest.files !== 'object')
    throw new ExopoolError(
      'EXOPOOL_CORRUPT',
      `the manifest of ${object} names no files; build the traversal again`,
    );
  return manifest as Manifest;
}

function compileProgram(source: string, name: string, folder: string): void {
  const from = path.join(traversalSourceFolder, 'kernel', 'traversal', name.replace(/o$/, 'c'));
  const target = `-D__TARGET_ARCH_${bpfTargets[process.arch] ?? process.arch}`;
  const flags = ['-g', '-O2', '-target', 'bpf', '-mcpu=v3', '-D__BPF__', target, ...warnings];
  compile('clang', [...flags, ...sourceFlags(source), '-c', from, '-o', path.join(folder, name)], clangFix);
}

/** Two steps: the code that counts the author's basic blocks must not be counted itself. */
function compileTwin(source: string, folder: string): void {
  const from = path.join(traversalSourceFolder, 'kernel', 'traversal');
  const object = path.join(folder, 'twin.o');
  const flags = ['-g', '-O2', '-fPIC', '-fvisibility=hidden', ...warnings];
  const counted = [...flags, '-fsanitize-coverage=trace-pc', ...sourceFlags(source)];
  compile('gcc', [...counted, '-c', path.join(from, 'twin.c'), '-o', object], ccFix);
  const linked = ['-shared', object, path.join(from, 'fuel.c'), '-o', path.join(folder, twinName)];
  compile('gcc', [...flags, ...linked], ccFix);
  rmSync(object);
}

function sourceFlags(source: string): string[] {
  return [
    `-DEXO_SOURCE=${JSON.stringify(source)}`,
    `-I${path.join(traversalSourceFolder, 'include')}`,
    `-I${path.dirname(source)}`,
  ];
}

function compile(program: string, words: readonly string[], fix: string): void {
  const { status, error, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (error !== undefined)
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', `there is no ${program}; install it: ${fix}`, {
      cause: error,
    });
  if (status !== 0)
    throw new ExopoolError('EXOPOOL_TRAVERSAL', `the traversal does not compile:\n${stderr.trimEnd()}`);
}

function isProgram(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function replace(out: string, made: string): void {
  const isBundle = [manifestName, twinName].every((name) => existsSync(path.join(out, name)));
  if (existsSync(out) && !isBundle)
    throw new ExopoolError('EXOPOOL_INVALID', `${out} exists and is not a traversal; choose another path`);
  rmSync(out, { recursive: true, force: true });
  renameSync(made, out);
}
