import { execFileSync } from 'node:child_process';
import { inFolder } from './folder.js';

export const isRoot = process.getuid?.() === 0;

/** Runs `work` in a small file system of its own. @returns why it could not, if so. */
export async function inTmpfs(
  bytes: number,
  work: (folder: string) => Promise<void>,
): Promise<string | undefined> {
  if (!isRoot) return 'only root can mount a tmpfs';
  return inFolder(async (folder) => {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'pipe' });
    } catch (error) {
      return `a tmpfs cannot be mounted: ${(error as Error).message}`;
    }
    try {
      await work(folder);
      return undefined;
    } finally {
      execFileSync('umount', ['--lazy', folder]);
    }
  });
}
