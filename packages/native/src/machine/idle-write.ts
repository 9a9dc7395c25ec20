/**
 * Writes to files of the kernel where the write itself does the work, such as `memory.reclaim`.
 *
 * They run on a thread at SCHED_IDLE, which gives way to every other thread of its task group. At the usual priority a
 * server on the same CPU would wait for that work when it wakes up.
 */
import { getSystemErrorName } from 'node:util';
import { toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';

interface IdleWriteBinding {
  idleWrite(file: string, texts: readonly string[]): Promise<number>;
}

/**
 * Makes these writes one after the other, until one fails. On a machine without idle time this may take long.
 * @throws ExopoolError; its cause has the kernel's errno name as `code`.
 */
export async function writeInIdleTime(file: string, ...texts: readonly string[]): Promise<void> {
  const errno = await (loadBinding() as unknown as IdleWriteBinding).idleWrite(file, texts);
  if (errno === 0) return;
  const name = getSystemErrorName(-errno);
  throw toExopoolError(
    Object.assign(new Error(name), { code: name }),
    `cannot write ${file} (root is needed)`,
  );
}
