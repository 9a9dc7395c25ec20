import { expect, it } from 'vitest';
import { parsePrivateAreas, privateAreas } from './private-areas.js';

const maps = `00400000-00401000 r-xp 00000000 08:01 1234 /bin/app
00600000-00601000 rw-p 00000000 08:01 1234 /bin/app
01000000-01200000 rw-p 00000000 00:00 0                                  [heap]
01200000-01300000 rw-p 00000000 00:00 0
01300000-01400000 ---p 00000000 00:00 0
7f0000000000-7f0000100000 rw-s 00000000 00:01 77                         /dev/zero (deleted)
7f0000200000-7f0000300000 rw-p 00000000 00:00 0
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
7ffd00030000-7ffd00032000 r-xp 00000000 00:00 0                          [vdso]
`;

it('finds what a process allocated', () => {
  expect(parsePrivateAreas(maps)).toEqual([
    { start: 0x0100_0000, end: 0x0130_0000 },
    { start: 0x7f00_0020_0000, end: 0x7f00_0030_0000 },
    { start: 0x7ffd_0000_0000, end: 0x7ffd_0002_1000 },
  ]);
  expect(parsePrivateAreas('')).toEqual([]);
  const own = privateAreas(process.pid);
  expect(own.length).toBeGreaterThan(0);
  for (const { start, end } of own) expect(end).toBeGreaterThan(start);
  expect(privateAreas(2 ** 30)).toEqual([]);
});
