import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { tryLockFile } from './file-lock.js';

it('is had by one open file at a time, and ends when that closes', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'exopool-lock-'));
  try {
    const file = path.join(folder, 'LOCK');
    const first = openSync(file, 'w');
    const second = openSync(file, 'w');
    expect(tryLockFile(first)).toBe(true);
    expect(tryLockFile(first)).toBe(true);
    expect(tryLockFile(second)).toBe(false);
    closeSync(first);
    expect(tryLockFile(second)).toBe(true);
    closeSync(second);
    expect(() => tryLockFile(second)).toThrow(expect.objectContaining({ code: 'EXOPOOL_IO' }) as Error);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
