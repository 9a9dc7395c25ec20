/**
 * The code blocks of READMEs, run as a reader would run them: copied into a file of an empty project that has the
 * packages installed, in a process of its own. Nothing is rewritten, so a block that needs a type stripped, a name from
 * the block before or a newer Node fails.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** @typedef {import('./readme-snippets.mjs').Snippet} Snippet */

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));

/** For what hangs, not for what is slow: on two shared cores, beside other tests, a block may take many seconds. */
const timeLimitMsDefault = 120_000;
/** More than any README prints; a block that prints without end is stopped here. */
const outputBytesMax = 1024 * 1024;

/**
 * @param {string | URL} path of a Markdown file.
 * @returns {Promise<Snippet[]>} its fenced blocks, of all languages, in their order.
 */
export async function snippetsOf(path) {
  const text = await readFile(path, 'utf8');
  return [...text.matchAll(/^```(\w*)[^\n]*\n(.*?)^```/gms)].map(({ index, 1: language, 2: code }) => ({
    language,
    code,
    line: text.slice(0, index).split('\n').length,
  }));
}

/**
 * @param {string | URL} path of a source file.
 * @returns {Promise<Snippet[]>} the fenced blocks below each `@example` of its comments.
 */
export async function examplesOf(path) {
  const text = await readFile(path, 'utf8');
  const blocks = text.matchAll(/^ +\* @example\n +\* ```(\w*)\n(.*?)^ +\* ```$/gms);
  return [...blocks].map(({ index, 1: language, 2: code }) => ({
    language,
    code: code.replace(/^ +\* ?/gm, ''),
    line: text.slice(0, index).split('\n').length,
  }));
}

/**
 * @param {URL} folder of a package, with a slash at its end.
 * @returns {Promise<(readonly [name: string, snippet: Snippet])[]>} the js and ts blocks of its README and its TSDoc.
 */
export async function packageExamples(folder) {
  const sources = (await readdir(new URL('src/', folder), { recursive: true }))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => `src/${name}`);
  const found = (await snippetsOf(new URL('README.md', folder))).map((snippet) => ['README.md', snippet]);
  for (const source of sources.sort()) {
    for (const snippet of await examplesOf(new URL(source, folder))) found.push([source, snippet]);
  }
  return found
    .filter(([, { language }]) => /^[jt]s$/.test(language))
    .map(([name, snippet]) => [`${name}:${snippet.line}`, snippet]);
}

/**
 * Runs a js block as it stands. Checks the types of a ts block, and runs it without them.
 * @param {Snippet} snippet
 * @returns {Promise<string>} what it prints.
 */
export async function runExample(snippet) {
  if (snippet.language !== 'ts') return runSnippet(snippet);
  await checkSnippet(snippet);
  return runSnippet(withoutTypes(snippet));
}

/**
 * Runs a block as JavaScript, as it stands, with `node`.
 * @param {Pick<Snippet, 'code'>} snippet
 * @param {{ cwd?: string, timeLimitMs?: number }} options `cwd` is an empty temporary folder when not given.
 * @returns {Promise<string>} what it prints to its standard output.
 * @throws Error with all that it printed, when it does not end well or not in time.
 */
export async function runSnippet({ code }, { cwd, timeLimitMs = timeLimitMsDefault } = {}) {
  return inProject('mjs', code, async (folder, file) => {
    const home = cwd ?? join(folder, 'home');
    await mkdir(home, { recursive: true });
    return new Promise((resolve, reject) => {
      const limits = { timeout: timeLimitMs, killSignal: 'SIGKILL', maxBuffer: outputBytesMax };
      execFile(process.execPath, [file], { cwd: home, ...limits }, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const how = error.killed === true ? `was stopped after ${timeLimitMs} ms` : 'failed';
        reject(new Error(`the snippet ${how}\n${stdout}${stderr}`, { cause: error }));
      });
    });
  });
}

/**
 * Checks the types of a block that is a TypeScript module, under `strict`.
 * @param {Pick<Snippet, 'code'>} snippet
 * @throws Error with the compiler's findings.
 */
export async function checkSnippet(snippet) {
  await checkSnippets([snippet]);
}

/**
 * The same for many blocks, each a module of its own, in one run of the compiler.
 * @param {readonly Pick<Snippet, 'code'>[]} snippets
 * @throws Error with the compiler's findings, with the index of the snippet in the name of its file.
 */
export async function checkSnippets(snippets) {
  await inProject('mts', '', async (folder) => {
    const files = snippets.map((_, index) => join(folder, `snippet-${index}.mts`));
    await Promise.all(files.map((file, index) => writeFile(file, snippets[index].code)));
    const program = ts.createProgram(files, {
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      lib: ['lib.es2023.d.ts'],
      types: ['node'],
      typeRoots: [join(folder, 'node_modules/@types')],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
    });
    const findings = ts.getPreEmitDiagnostics(program);
    if (findings.length === 0) return;
    const format = {
      getCurrentDirectory: () => folder,
      getCanonicalFileName: (name) => name,
      getNewLine: () => '\n',
    };
    throw new Error(`the snippet has wrong types\n${ts.formatDiagnostics(findings, format)}`);
  });
}

/**
 * @template {Pick<Snippet, 'code'>} S
 * @param {S} snippet a TypeScript module.
 * @returns {S} the same as JavaScript, unchecked, to be run.
 */
export function withoutTypes(snippet) {
  const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
  return { ...snippet, code: ts.transpileModule(snippet.code, { compilerOptions }).outputText };
}

/**
 * @param {Pick<Snippet, 'code'>} snippet
 * @returns {string} the lines that a block claims to print: the comment behind each `console.log(…)`, in which
 *   `, then ` separates the lines of a call that runs more than once.
 */
export function promisedOutput({ code }) {
  const comments = [...code.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, text]) => text);
  return comments.map((text) => `${text.replaceAll(', then ', '\n')}\n`).join('');
}

/** Calls `work` with a project that has the workspace's packages, and `code` in a file of it. */
async function inProject(extension, code, work) {
  const folder = await mkdtemp(join(tmpdir(), 'exopool-readme-'));
  try {
    await symlink(modules, join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    const file = join(folder, `snippet.${extension}`);
    await writeFile(file, code);
    return await work(folder, file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
