/** Files of results. They are checked before the work, since it may take an hour. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toExopoolError } from '@exopool/shared';

/** Creates the file and its folder if they do not exist, and keeps its content. @throws ExopoolError when it cannot. */
export function assertWritable(path: string): Promise<void> {
  return write(path, '', 'a');
}

/** @throws ExopoolError when it cannot be written. */
export function writeJson(path: string, value: object): Promise<void> {
  return write(path, `${JSON.stringify(value, undefined, 2)}\n`, 'w');
}

async function write(path: string, text: string, flag: 'a' | 'w'): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag });
  } catch (error) {
    throw toExopoolError(error, `cannot write ${path}`);
  }
}
