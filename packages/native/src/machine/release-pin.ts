/** Takes back the immutable attribute that a process of ours has left on a table file when it was killed. */
import { existsSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';

interface PinBinding {
  /** 0 or an errno. */
  releasePin(path: string): number;
}

/**
 * Does nothing when the file is gone, not pinned, pinned by somebody else, or still in use by another process.
 * @throws `EXOPOOL_PERMISSION`, `EXOPOOL_IO`
 */
export function releasePin(path: string): void {
  if (!existsSync(path)) return;
  const error = (loadBinding() as unknown as PinBinding).releasePin(path);
  if (error === 0) return;
  const name = getSystemErrorName(-error);
  throw toExopoolError(Object.assign(new Error(name), { code: name }), `${path}: cannot be unpinned`);
}
