/** Lists the repository's files for the checks, and runs tools over them. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Folders that builds and tools write. No check reads them. */
const foreign =
  /^(node_modules|dist|out-tsc|build|generated|coverage|bench-results|prebuilds|\.git|\.nx|\.exopool)$/;
/** The linter takes minutes on a busy machine. */
export const toolTimeoutMs = 1_200_000;
/** Limits a tool's output. A finding may name every file. */
const outputBytesMax = 64 << 20;

/** All files of the repository, as paths relative to its root; a checkout need not have git. */
export function repositoryFiles(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (foreign.test(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? repositoryFiles(path) : [relative(root, path)];
  });
}

export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Runs a tool of node_modules or of the machine. Returns its output if it fails, else an empty string. */
export function findingsOf(program: string, words: readonly string[], cwd = root): Promise<string> {
  return new Promise((resolve) => {
    const PATH = `${join(root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`;
    const options = {
      cwd,
      env: { ...process.env, PATH, NO_COLOR: '1' },
      maxBuffer: outputBytesMax,
      timeout: toolTimeoutMs,
    };
    execFile(program, words, options, (error, stdout, stderr) => {
      if (error === null) resolve('');
      else resolve((stdout + stderr).trim() || error.message);
    });
  });
}
