import { open, readFile, type FileHandle } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { LogFile, logName } from './log-file.js';
import { encodeFrame, logHeaderBytes, noLog } from './log-format.js';
import { inFolder } from '../testing/folder.js';

it('goes on after short writes, without a copy of what is left: a group may be longer than a Buffer can be', async () => {
  await inFolder(async (folder) => {
    const handle = await open(devNull);
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const log = await LogFile.create(folder, 1, noLog);
    const lengths = [10, 0, 300, 5, 2000];
    const frames = lengths.map((length) =>
      encodeFrame([{ key: Buffer.from(String(length)), value: Buffer.alloc(length, 'v') }]),
    );
    let calls = 0;
    const writing = vi.spyOn(prototype, 'writev').mockImplementation(async function (
      this: FileHandle,
      buffers,
      position,
    ) {
      calls += 1;
      const { buffer, byteOffset, byteLength } = buffers[0]!;
      const { bytesWritten } = await this.write(
        Buffer.from(buffer, byteOffset, Math.min(byteLength, 100)),
        0,
        undefined,
        position,
      );
      return { bytesWritten, buffers };
    });
    const joining = vi.spyOn(Buffer, 'concat').mockImplementation(() => {
      throw new RangeError('too long');
    });
    try {
      await log.append(frames);
    } finally {
      joining.mockRestore();
      writing.mockRestore();
    }
    await log.close();
    expect(calls).toBeGreaterThan(lengths.length);
    expect(log.end).toBe(logHeaderBytes + frames.reduce((sum, { length }) => sum + length, 0));
    const written = await readFile(join(folder, logName(1)));
    expect(written.subarray(logHeaderBytes).equals(Buffer.concat(frames))).toBe(true);
  });
});
