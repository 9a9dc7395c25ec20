import { open, type FileHandle } from 'node:fs/promises';
import { devNull } from 'node:os';
import { vi } from 'vitest';

/** `folder`: the sync of a folder, which makes its names durable. */
export type Fault = 'write' | 'sync' | 'folder';

/**
 * While `work` runs, asks `next` before each `writev` and `datasync` of any file, and `sync` of a folder, whether it fails. A write that fails
 * has written half of its bytes, as on a disk that fills up.
 */
export async function withFaults(next: (fault: Fault) => boolean, work: () => Promise<void>): Promise<void> {
  const handle = await open(devNull);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its handle below
  const { writev, datasync, sync } = prototype;
  const writing = vi.spyOn(prototype, 'writev').mockImplementation(async function (
    this: FileHandle,
    ...args
  ) {
    if (!next('write')) return writev.apply(this, args);
    const bytes = Buffer.concat(
      args[0].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
    );
    await this.write(bytes, 0, bytes.length >> 1, args[1]);
    throw Object.assign(new Error('ENOSPC: simulated'), { code: 'ENOSPC' });
  });
  const syncing = vi.spyOn(prototype, 'datasync').mockImplementation(async function (this: FileHandle) {
    if (!next('sync')) return datasync.call(this);
    throw Object.assign(new Error('EIO: simulated'), { code: 'EIO' });
  });
  const syncingFolder = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
    if (!(await this.stat()).isDirectory() || !next('folder')) return sync.call(this);
    throw Object.assign(new Error('EIO: simulated'), { code: 'EIO' });
  });
  try {
    await work();
  } finally {
    writing.mockRestore();
    syncing.mockRestore();
    syncingFolder.mockRestore();
  }
}
