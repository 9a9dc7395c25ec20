import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digest, DigestCollector, readKeyDigests } from './key-digests.js';

it('comes back from its file, with the last value of each key', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'exopool-digests-'));
  try {
    const collector = new DigestCollector();
    const bytes = Buffer.from([0, 255, 10, 128]);
    collector.add(bytes, Buffer.from('first'));
    collector.add(Buffer.from('k'), Buffer.alloc(0));
    collector.add(bytes, Buffer.from('last'));
    await collector.write(join(folder, 'digests'));
    const { keys, digests } = await readKeyDigests(join(folder, 'digests'));
    expect(keys).toEqual([bytes, Buffer.from('k')]);
    expect(digests).toEqual([digest(Buffer.from('last')), digest(Buffer.alloc(0))]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
