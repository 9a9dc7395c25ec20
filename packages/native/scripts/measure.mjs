/**
 * Builds every `measure/<name>.cc` beside the addon, with the addon's own objects: `node scripts/measure.mjs` prints the
 * paths of the programs. Node's functions, which some objects call, are stubs: these programs never get there.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const release = path.join(packageFolder, 'build', 'Release');
const objects = path.join(release, 'obj.target', 'exopool', 'addon');
const archive = path.join(release, 'addon.a');
const stubs = path.join(release, 'node_stubs.c');
const flags = ['-std=c++17', '-O2', '-g1', '-Wall', '-Wextra', '-Werror', '-Iinclude', '-Iaddon', '-Imeasure'];

function run(command, words) {
  const { status, error } = spawnSync(command, words, { cwd: packageFolder, stdio: 'inherit' });
  if (error !== undefined) console.error(`measure: cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

const names = readdirSync(objects).filter((name) => name.endsWith('.o'));
rmSync(archive, { force: true });
run('ar', ['rcs', archive, ...names.map((name) => path.join(objects, name))]);
const { stdout } = spawnSync('nm', ['--undefined-only', archive], { encoding: 'utf8' });
const missing = new Set(stdout.match(/\b(napi|node_api)_\w+$/gm));
writeFileSync(stubs, [...missing].map((name) => `void ${name}(void) { __builtin_abort(); }\n`).join(''));
run('cc', ['-c', stubs, '-o', `${stubs}.o`]);
for (const name of readdirSync(path.join(packageFolder, 'measure')).filter((file) => file.endsWith('.cc'))) {
  const program = path.join(release, path.basename(name, '.cc'));
  const libraries = [archive, `${stubs}.o`, '-ldl', '-lpthread'];
  run(process.env.CXX ?? 'c++', [...flags, `measure/${name}`, '-o', program, ...libraries]);
  console.log(program);
}
for (const file of [archive, stubs, `${stubs}.o`]) rmSync(file);
