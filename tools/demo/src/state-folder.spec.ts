import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { createStateFolder, removeDeadFolders } from './state-folder.js';

it('removes the folders of dead runs and no others', async () => {
  const base = await mkdtemp(join(tmpdir(), 'exopool-state-'));
  try {
    const own = await createStateFolder(base);
    await mkdir(join(base, 'exopool-demo-4194303-1'));
    await mkdir(join(base, `exopool-demo-${process.pid}-1`)); // the same pid, but of an earlier process
    await mkdir(join(base, 'exopool-demo-notes'));
    expect(await removeDeadFolders(base)).toBe(2);
    expect((await readdir(base)).sort()).toEqual([basename(own), 'exopool-demo-notes'].sort());
  } finally {
    await rm(base, { recursive: true });
  }
});
