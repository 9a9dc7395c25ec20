/** The rules of the house, of every file of the repository. What each refuses is shown by the specs beside it. */
import { describe, expect, it } from 'vitest';
import { bannedWords } from './banned-words.js';
import { clangFormatFindings, isC, prettierFindings, whyNoClangFormat } from './formatting.js';
import { importFindings } from './imports.js';
import { longFunctions } from './long-functions.js';
import { NamedPaths } from './named-paths.js';
import { needs } from './needs.js';
import { unrunReadmes } from './readme-specs.js';
import { findingsOf, read, repositoryFiles, toolTimeoutMs } from './repository.js';

const files = repositoryFiles();
const isScript = (file: string): boolean => /\.(ts|mts|mjs)$/.test(file);
const isShell = (file: string): boolean => /\.sh$|^exopool$|^\.ci\/run$/.test(file);

/** What a check of single files finds in those that it is for. */
const findings = (
  check: (file: string, text: string) => string[],
  isFor: (file: string) => boolean,
): string[] => files.filter(isFor).flatMap((file) => check(file, read(file)));

describe('the repository', { timeout: 2 * toolTimeoutMs }, () => {
  it('has files to look at', () => {
    expect(files.length).toBeGreaterThan(500);
  });

  it('is formatted by prettier; to fix: npm run format', async () => {
    expect(await prettierFindings(['.'])).toBe('');
  });

  it(
    'is formatted by clang-format; to fix: npm run format:c',
    needs('clang-format', whyNoClangFormat()),
    async () => {
      expect(await clangFormatFindings(files.filter(isC))).toBe('');
    },
  );

  it('has no findings of eslint', async () => {
    expect(await findingsOf('eslint', ['.', '--max-warnings=0'])).toBe('');
  });

  it('has the types that it says', async () => {
    expect(await findingsOf('tsc', ['--build', '--pretty', 'false'])).toBe('');
  });

  it('imports without circles, from higher floors to lower ones', async () => {
    expect(await importFindings(['packages', 'tools'])).toBe('');
  });

  it('has functions that fit a screen', () => {
    expect(findings(longFunctions, (file) => isC(file) || isShell(file))).toEqual([]);
  });

  it('names no path that is not there', () => {
    const paths = new NamedPaths(files);
    const hasPaths = (file: string): boolean => isScript(file) || isC(file) || file.endsWith('.md');
    expect(findings((file, text) => paths.dead(file, text), hasPaths)).toEqual([]);
  });

  it('leaves no work for later', () => {
    expect(findings(bannedWords, (file) => isScript(file) || isC(file) || isShell(file))).toEqual([]);
  });

  it('runs the code of its READMEs', () => {
    expect(unrunReadmes(files, read)).toEqual([]);
  });
});
