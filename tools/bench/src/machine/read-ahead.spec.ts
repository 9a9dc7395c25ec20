import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ReadAhead, readAheadKibDefault } from './read-ahead.js';

it('lowers the read-ahead or says why not, and puts it back', async () => {
  const state = mkdtempSync(join(tmpdir(), 'exopool-read-ahead-'));
  try {
    const during = await ReadAhead.lower(tmpdir(), state);
    const isLow = during.kib === undefined || during.kib <= readAheadKibDefault;
    expect(isLow || during.note !== undefined).toBe(true);
    await during.close();
    expect(readdirSync(state)).toEqual([]);
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
});
