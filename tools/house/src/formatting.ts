/** Formats, which are the tools': `npm run format` writes what they want. */
import { spawnSync } from 'node:child_process';
import { findingsOf } from './repository.js';

/** Files and folders that prettier would change. */
export const prettierFindings = (paths: readonly string[], cwd?: string): Promise<string> =>
  findingsOf('prettier', ['--check', '--log-level=warn', ...paths], cwd);

/** Lines that clang-format would change. */
export const clangFormatFindings = (files: readonly string[]): Promise<string> =>
  findingsOf('clang-format', ['--dry-run', '-Werror', ...files]);

export const isC = (file: string): boolean => /\.(c|h|cc|hh)$/.test(file);

/** Other versions format other lines. */
export const clangFormatMajor = 14;

export function whyNoClangFormat(): string | undefined {
  const { error, stdout } = spawnSync('clang-format', ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return 'clang-format is not installed';
  const major = Number(/version (\d+)/.exec(stdout)?.[1]);
  return major === clangFormatMajor ? undefined : `clang-format is version ${major}, not ${clangFormatMajor}`;
}
