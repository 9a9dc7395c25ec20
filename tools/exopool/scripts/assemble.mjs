/**
 * Makes the package `exopool` of the workspace's tools, which are not published by themselves: what they compile to is
 * copied side by side into `dist/`, and their imports of each other become relative paths.
 *
 *   tools/cli/dist/main.js    ->  dist/cli/main.js     import '@exopool/demo/child'  ->  import '../demo/child.js'
 *   tools/demo/dist/child.js  ->  dist/demo/child.js
 *
 * Paths inside a tool stay as they are, so that it finds the files of its child processes.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));
const dist = join(folder, 'dist');
const tools = ['bench', 'cli', 'demo', 'vm'];
const outputs = /\.(js|js\.map|d\.ts)$/;
/** For tests, beside code. */
const testFiles = /(^|\/)testing\/|\.fixture\./;
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

const manifest = readJson(join(folder, 'package.json'));
const manifests = new Map(tools.map((tool) => [tool, readJson(join(folder, '..', tool, 'package.json'))]));
const isTool = (name) => tools.some((tool) => name === `@exopool/${tool}`);

/** The published package must ask for all that its parts import; each dependency is written down once more there. */
function checkDependencies() {
  const listed = { ...manifest.dependencies, ...manifest.peerDependencies };
  // Peers are for benchmarks, which name the versions that they want.
  const isListed = ([name, version]) => listed[name] === version || name in manifest.peerDependencies;
  const needed = new Map(
    [...manifests.values()].flatMap(({ dependencies }) => Object.entries(dependencies ?? {})),
  );
  const wrong = [...needed].filter((entry) => !isTool(entry[0]) && !isListed(entry));
  const idle = Object.keys(listed).filter((name) => !needed.has(name));
  if (wrong.length === 0 && idle.length === 0) return;
  const lines = [
    ...wrong.map((entry) => `${entry.join(' ')} is missing`),
    ...idle.map((name) => `${name} is not used`),
  ];
  throw new Error(`tools/exopool/package.json: ${lines.join(', ')}`);
}

/** @returns the file in `dist/` that `specifier` stands for, by the exports of the tool. */
function targetOf(specifier) {
  const [, tool, inside = ''] = /^@exopool\/(\w+)(\/.*)?$/.exec(specifier);
  const entry = manifests.get(tool).exports[`.${inside}`];
  if (entry === undefined) throw new Error(`${specifier}: not exported`);
  return posix.join(tool, entry.default.replace('./dist/', ''));
}

const specifiers = new RegExp(
  `(from |import\\()(['"])(@exopool/(?:${tools.join('|')})(?:/[\\w-]+)?)\\2`,
  'g',
);

/** @param place of the file in `dist/`. */
function withRelativeImports(text, place) {
  return text.replace(specifiers, (_, before, quote, specifier) => {
    const relative = posix.relative(posix.dirname(place), targetOf(specifier));
    return `${before}${quote}${relative}${quote}`;
  });
}

function copyTool(tool) {
  const from = join(folder, '..', tool, 'dist');
  const names = readdirSync(from, { recursive: true }).filter(
    (name) => outputs.test(name) && !testFiles.test(name),
  );
  for (const name of names) {
    const place = posix.join(tool, name);
    const target = join(dist, place);
    mkdirSync(dirname(target), { recursive: true });
    const text = readFileSync(join(from, name), 'utf8');
    writeFileSync(target, name.endsWith('.map') ? text : withRelativeImports(text, place));
  }
}

checkDependencies();
rmSync(dist, { recursive: true, force: true });
for (const tool of tools) copyTool(tool);
// Where the command line looks for its version, as it does in the workspace.
const { name, version, type } = manifest;
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ name, version, type })}\n`);
