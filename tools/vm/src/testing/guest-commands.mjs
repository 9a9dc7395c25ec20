/** Helpers that the programs in guests share. */
import { spawnSync } from 'node:child_process';

export function run(program, ...words) {
  const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr || error}`);
}

/** Runs a function. @returns `done`, or the code of its error. */
export function attempt(work) {
  try {
    work();
    return 'done';
  } catch (error) {
    return error.code ?? error.message;
  }
}

export const isImmutable = (file) =>
  spawnSync('lsattr', [file], { encoding: 'utf8' }).stdout.split(' ')[0].includes('i');
