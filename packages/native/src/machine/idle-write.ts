/**
 * Writes to files of the kernel in which the write itself is the work, such as `memory.reclaim`: on a thread at
 * SCHED_IDLE, which the processor leaves for anybody else of its task group who wants it. At the usual priority a
 * server beside it waits for that work when it wakes up.
 */
import { getSystemErrorName } from 'node:util';
import { toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';

interface IdleWriteBinding {
  idleWrite(file: string, texts: readonly string[]): Promise<number>;
}

/**
 * Makes these writes one after the other, until one fails. On a machine without idle time it may take long.
 * @throws ExopoolError with the code that fits the kernel's; its cause has the `code` of the kernel's own.
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
