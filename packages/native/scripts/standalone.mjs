/**
 * Ordinary programs over the addon's code, for measurements and checks where JavaScript is too slow. They are linked
 * with the addon's own objects. Node's functions, which some objects call, are stubs that these programs never reach.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const packageFolder = fileURLToPath(new URL('..', import.meta.url));
export const release = path.join(packageFolder, 'build', 'Release');
const objects = path.join(release, 'obj.target', 'exopool', 'addon');
const flags = ['-std=c++17', '-O2', '-g1', '-Wall', '-Wextra', '-Werror', '-DEXOPOOL_HAVE_LIBBPF'];

/** Runs a command in the package's folder. @returns its output. @throws if it fails. */
function run(command, words) {
  const { status, error, stdout } = spawnSync(command, words, {
    cwd: packageFolder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? `exit status ${status}`}`);
  return stdout;
}

/** Builds every `<folder>/<name>.cc` as the program `<out>/<name>`. @returns their paths. */
export function buildPrograms(folder, out) {
  // The addon itself may come from a cache, without its objects; the build skips files that are up to date.
  run(process.execPath, ['scripts/build.mjs']);
  const scratch = mkdtempSync(path.join(tmpdir(), 'exopool-build-'));
  try {
    const archive = path.join(scratch, 'addon.a');
    const stubs = path.join(scratch, 'stubs.c');
    const names = readdirSync(objects, { recursive: true }).filter((name) => name.endsWith('.o'));
    run('ar', ['rcs', archive, ...names.map((name) => path.join(objects, name))]);
    const missing = new Set(run('nm', ['--undefined-only', archive]).match(/\b(napi|node_api)_\w+$/gm));
    writeFileSync(stubs, [...missing].map((name) => `void ${name}(void) { __builtin_abort(); }\n`).join(''));
    run('cc', ['-c', stubs, '-o', `${stubs}.o`]);
    const sources = readdirSync(path.join(packageFolder, folder)).filter((name) => name.endsWith('.cc'));
    return sources.map((source) => {
      const program = path.join(out, path.basename(source, '.cc'));
      const includes = ['-Iinclude', '-Iaddon', `-I${folder}`];
      const libraries = [archive, `${stubs}.o`, '-ldl', '-lpthread'];
      run(process.env.CXX ?? 'c++', [
        ...flags,
        ...includes,
        path.join(folder, source),
        '-o',
        program,
        ...libraries,
      ]);
      return program;
    });
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
