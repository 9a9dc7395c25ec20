import { expect, it } from 'vitest';
import { findMount, mountOf, parseMounts } from './mounts.js';

const text = `22 1 254:0 / / rw,relatime - ext4 /dev/root rw,discard
40 22 259:1 / /data rw,noatime shared:7 master:2 - xfs /dev/nvme0n1p1 rw,attr2
41 22 0:31 / /with\\040blank rw - tmpfs tmpfs rw,size=4k
42 40 0:32 / /data rw - overlay overlay rw,lowerdir=/a
nonsense
`;

it('tells devices, folders and options', () => {
  const mounts = parseMounts(text);
  expect(mounts.map(({ folder }) => folder)).toEqual(['/', '/data', '/with blank', '/data']);
  expect(mounts[1]).toEqual({
    device: '259:1',
    folder: '/data',
    fileSystem: 'xfs',
    options: ['rw', 'noatime', 'attr2'],
  });
});

it('finds the innermost mount, and of several on one folder the one on top', () => {
  const mounts = parseMounts(text);
  expect(mountOf('/data/store', mounts)?.fileSystem).toBe('overlay');
  expect(mountOf('/database', mounts)?.folder).toBe('/');
  expect(mountOf('/with blank', mounts)?.fileSystem).toBe('tmpfs');
  expect(mountOf('/x', [])).toBeUndefined();
});

it('finds that of a file of this machine', () => {
  expect(findMount('/proc/self/mountinfo')).toMatchObject({ folder: '/proc', fileSystem: 'proc' });
});
