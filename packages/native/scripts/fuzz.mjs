/**
 * Builds every `fuzz/<name>_fuzz.cc` with the address and undefined-behaviour sanitizers and runs it:
 * `node scripts/fuzz.mjs [iterations] [seed]`. Exit status 77: this machine's compiler has no sanitizers.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
const flags = [
  '-std=c++17',
  '-O1',
  '-g',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Iinclude',
  '-Iaddon',
  '-Inbd',
  ...sanitizers,
];
const compiler = process.env.CXX ?? 'c++';
const skipStatus = 77;

function hasSanitizers(folder) {
  const source = path.join(folder, 'probe.cc');
  writeFileSync(source, 'int main() { return 0; }\n');
  const program = path.join(folder, 'probe');
  return (
    spawnSync(compiler, [...sanitizers, source, '-o', program]).status === 0 &&
    spawnSync(program).status === 0
  );
}

const run = (command, args) => spawnSync(command, args, { cwd: packageFolder, stdio: 'inherit' }).status ?? 1;

function main(folder) {
  if (!hasSanitizers(folder)) {
    console.log('the compiler has no sanitizer runtime; install it with: apt-get install g++');
    return skipStatus;
  }
  const targets = readdirSync(path.join(packageFolder, 'fuzz')).filter((name) => name.endsWith('_fuzz.cc'));
  for (const target of targets) {
    const program = path.join(folder, path.basename(target, '.cc'));
    console.log(`${target}:`);
    const status =
      run(compiler, [...flags, `fuzz/${target}`, 'fuzz/driver.cc', '-o', program]) ||
      run(program, process.argv.slice(2));
    if (status !== 0) return status;
  }
  return 0;
}

const folder = mkdtempSync(path.join(tmpdir(), 'exopool-fuzz-'));
try {
  process.exitCode = main(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
