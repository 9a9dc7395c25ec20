import { describe, expect, it } from 'vitest';
import { engineFindings, engineFindingsAt, nvmeObstacle } from './engine-findings.js';

describe('what was found for the engines', () => {
  it('is said of each, and how to enable those that are off', () => {
    for (const findings of [engineFindings(), engineFindingsAt(import.meta.filename)]) {
      expect(findings[0]).toMatchObject({ engine: 'pread', available: true });
      for (const { available, reason, fix } of findings) {
        expect(reason).toMatch(/\S/);
        expect(fix === undefined).toBe(available);
      }
    }
  });

  it('names the device and the file system of a path', () => {
    const pread = engineFindingsAt(import.meta.filename)[0];
    // Below another root than the machine's own, mounts may be out of sight.
    expect(pread?.reason).toMatch(/^Linux .*; (on \S+|\S+ on .*, mounted r[ow])/);
  });
});

it('a file must lie in its place on an NVMe device, and be one that can be pinned', () => {
  const mount = { fileSystem: 'ext4', folder: '/data', options: ['rw', 'relatime'] };
  expect(nvmeObstacle('nvme0n1', mount)).toBeUndefined();
  expect(nvmeObstacle('nvme0n1', { ...mount, fileSystem: 'btrfs' })?.reason).toMatch(/^btrfs may move/);
  expect(nvmeObstacle('nvme0n1', { ...mount, options: ['ro'] })?.fix).toBe("mount -o remount,rw '/data'");
  expect(nvmeObstacle('vda', mount)?.reason).toMatch(/vda, which is not an NVMe device/);
  expect(nvmeObstacle(undefined, mount)?.reason).toMatch(/not on a block device/);
});
