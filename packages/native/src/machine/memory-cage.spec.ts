import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findMemoryHierarchy } from './cgroup.js';
import { MemoryCage } from './memory-cage.js';

const MiB = 1024 * 1024;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-cage-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('MemoryCage', () => {
  it('fails without a trace where there are no memory cgroups', async () => {
    const root = join(folder, 'no-kernel');
    mkdirSync(root);
    writeFileSync(join(root, 'cgroup.subtree_control'), 'memory\n');
    const state = join(folder, 'state');
    await expect(MemoryCage.open('test', MiB, state, { version: 2, root })).rejects.toThrow(/memory/);
    expect(readdirSync(state)).toEqual([]);
  });

  it('limits memory with its page cache, kills who needs more, and goes away', async (context) => {
    skipWithout(context, 'cgroup', whyNot());
    await using cage = await MemoryCage.open(`cage-test-${process.pid}`, 64 * MiB, join(folder, 'state'));
    const file = join(folder, 'file');
    writeFileSync(file, Buffer.alloc(128 * MiB));
    const inside = (command: string): ReturnType<typeof spawnSync> =>
      spawnSync('sh', ['-c', `echo $$ > "$0" && exec ${command}`, cage.processesFile, file]);
    expect(inside('cat "$1" > /dev/null').status).toBe(0);
    expect(cage.peakBytes()).toBeLessThanOrEqual(64 * MiB);
    const hungry = inside(`${process.execPath} -e 'Buffer.alloc(${128 * MiB}, 1)'`);
    expect(hungry.status).not.toBe(0);
    await cage.close();
    expect(existsSync(cage.path)).toBe(false);
    expect(readdirSync(join(folder, 'state'))).toEqual([]);
    expect(readFileSync('/proc/self/cgroup', 'utf8')).not.toContain('cage-test');
  });
});

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    findMemoryHierarchy();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
