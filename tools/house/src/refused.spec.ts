/** What the rules of the house refuse, an example each. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ESLint } from 'eslint';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { functionLinesMax } from '../function-lines.mjs';
import { bannedWords } from './banned-words.js';
import { clangFormatFindings, prettierFindings, whyNoClangFormat } from './formatting.js';
import { importFindings } from './imports.js';
import { longFunctions } from './long-functions.js';
import { NamedPaths } from './named-paths.js';
import { needs } from './needs.js';
import { unrunReadmes } from './readme-specs.js';
import { root } from './repository.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-house-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** The lines of a function, its braces included. */
const functionOf = (head: string, lines: number): string =>
  [head, ...Array.from({ length: lines - 2 }, (_, index) => `  use(${index});`), '}', ''].join('\n');

describe('refused is', () => {
  it('a file that prettier would change', async () => {
    const file = write('wide.ts', 'export const a   = 1;\n');
    expect(await prettierFindings([file])).toContain('wide.ts');
    expect(await prettierFindings([write('right.ts', 'export const a = 1;\n')])).toBe('');
  });

  it('a file that clang-format would change', needs('clang-format', whyNoClangFormat()), async () => {
    expect(await clangFormatFindings([write('wide.cc', 'int  a=1;\n')])).toMatch(/wide\.cc:1:/);
    expect(await clangFormatFindings([write('right.cc', 'int a = 1;\n')])).toBe('');
  });

  it('a circle of imports, of types too', async () => {
    write('one.ts', `import type { Two } from './two.js';\nexport interface One { two: Two }\n`);
    write('two.ts', `import type { One } from './one.js';\nexport interface Two { one: One }\n`);
    expect(await importFindings(['.'], folder)).toMatch(/no-circle: one\.ts/);
  });

  it('an import of a higher floor', async () => {
    write(
      'packages/memtrade/src/broker/a.ts',
      `import { b } from '../consumer/b.js';\nexport const a = b;\n`,
    );
    write('packages/memtrade/src/consumer/b.ts', 'export const b = 1;\n');
    const findings = await importFindings(['packages'], folder);
    expect(findings).toMatch(/imports-of-broker-go-down: packages\/memtrade\/src\/broker\/a\.ts/);
  });

  it('a function that does not fit a screen', async () => {
    const head = 'export function f(use: (n: number) => void): void {';
    const lint = async (text: string): Promise<string[]> => {
      const filePath = join(root, 'tools/house/src/index.ts');
      const results = await new ESLint({ cwd: root }).lintText(text, { filePath });
      return results.flatMap(({ messages }) => messages.map(({ ruleId }) => ruleId ?? ''));
    };
    expect(await lint(functionOf(head, functionLinesMax + 1))).toContain('house/function-lines');
    expect(await lint(functionOf(head, functionLinesMax))).not.toContain('house/function-lines');
  });

  it.each([
    'static int f() {',
    '  int Method() const override {',
    'f() {',
    'std::string f(size_t count,\n              size_t bytes) {',
    'struct table *f(struct file *file) {',
    'const char *f() {',
    'enum kind f() {',
    'Poller::Poller(int spin)\n    : spin_(spin),\n      wake_{spin} {',
  ])('one in C or shell: %s', (head) => {
    const indent = ' '.repeat(head.search(/\S/));
    const more = head.split('\n').length - 1;
    const text = (lines: number): string => functionOf(head, lines - more).replace(/^\}/m, `${indent}}`);
    expect(longFunctions('a.cc', `int a;\n${text(functionLinesMax + 1)}`)).toEqual([
      expect.stringMatching(/^a\.cc:2: .* 71 lines, at most 70/),
    ]);
    expect(longFunctions('a.cc', text(functionLinesMax))).toEqual([]);
  });

  it.each(['namespace exopool {', 'struct A {', 'class A : public B {', 'static const int a[] = {'])(
    'no long block of another kind: %s',
    (head) => expect(longFunctions('a.cc', functionOf(head, 1000))).toEqual([]),
  );

  it('a path that is not there', () => {
    const paths = new NamedPaths(['packages/native/addon/base/crc32c.cc', 'packages/native/README.md']);
    const dead = ['packages/native/addon/crc32c.cc', 'addon/none.cc', 'crc32.cc', 'packages/none'];
    for (const path of dead)
      for (const [file, text] of [
        ['a.ts', `x('a//b');\n/* See\n * ${path}. */`],
        ['a.cc', `int a;\n\n// (${path})`],
        ['a.md', `# A\n\nIn [a](${path}).`],
      ] as const)
        expect(paths.dead(file, text)).toEqual([expect.stringMatching(`^${file}:3: there is no ${path}:`)]);
    const right = ['addon/base/crc32c.cc', 'base', 'crc32c.cc', 'native/README.md', 'linux/bpf.h', 'and/or'];
    const globs = ['addon/none_*.cc', 'https://host/addon/x.cc', 'dist/index.js', 'addon/<name>.cc'];
    expect(paths.dead('a.md', [...right, ...globs].join('\n'))).toEqual([]);
    expect(paths.dead('a.ts', `import './addon/none.cc';`)).toEqual([]);
  });

  it('work that is left for later', () => {
    expect(bannedWords('a.ts', 'ok\n// TOD' + 'O: more')).toEqual([expect.stringMatching(/^a\.ts:2: /)]);
    expect(bannedWords('a.ts', 'todos')).toEqual([]);
  });

  it('a README whose code nothing runs', () => {
    const files = ['README.md', 'packages/a/README.md', 'packages/a/src/readme.spec.ts'];
    const texts = (spec: string, code: string) => (file: string) => (file.endsWith('.md') ? code : spec);
    const code = '# A\n\n```ts\nf();\n```\n';
    const found = unrunReadmes(files, texts(`new URL('../README.md', import.meta.url)`, code));
    expect(found).toEqual([expect.stringMatching(/^README\.md:1: /)]);
    expect(unrunReadmes(files, texts(`['../', '../../../README.md']`, code))).toEqual([]);
    expect(unrunReadmes(files, texts('', '```console\n$ f\n```'))).toEqual([]);
  });
});
