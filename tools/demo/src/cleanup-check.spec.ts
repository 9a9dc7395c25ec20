import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { processIdentity } from '@exopool/native/internal';
import { findRemains } from './cleanup-check.js';

it('finds processes that run, paths that are there, and journals of ours', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'exopool-remains-'));
  try {
    const self = processIdentity(process.pid)!;
    const dead = { ...self, pid: 4_194_303 };
    await writeFile(join(folder, `journal-${dead.pid}-1.jsonl`), '');
    await writeFile(join(folder, 'journal-1-1.jsonl'), '');
    const traces = { processes: [self, dead], paths: [folder, join(folder, 'gone')] };
    expect(findRemains(traces, folder)).toEqual([
      `process ${process.pid}`,
      folder,
      join(folder, `journal-${dead.pid}-1.jsonl`),
    ]);
    expect(findRemains({ processes: [dead], paths: [] }, join(folder, 'nowhere'))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
