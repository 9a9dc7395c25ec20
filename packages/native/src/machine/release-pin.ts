/** Removes the immutable attribute that a killed process of ours left on a table file. */
import { existsSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';

interface PinBinding {
  /** 0 or an errno. */
  releasePin(path: string): number;
}

/**
 * Unpins a table file. Does nothing when the file is gone or not pinned, when somebody else pinned it, or when another
 * process still uses it.
 * @throws `EXOPOOL_PERMISSION`, `EXOPOOL_IO`
 */
export function releasePin(path: string): void {
  if (!existsSync(path)) return;
  const error = (loadBinding() as unknown as PinBinding).releasePin(path);
  if (error === 0) return;
  const name = getSystemErrorName(-error);
  throw toExopoolError(
    Object.assign(new Error(name), { code: name }),
    `cannot unpin ${path} (run \`chattr -i\` on it as root)`,
  );
}
