import { spawnSync } from 'node:child_process';
import { skipWithout } from '@exopool/house';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDebianVersions } from './debian-version.js';

describe('versions', () => {
  it('are ordered as Debian says', () => {
    const ordered = [
      '1.0~rc1-1',
      '1.0-1~bpo12+1',
      '1.0-1',
      '1.0-1+b2',
      '1.0a-1',
      '1.0.1-1',
      '1.9',
      '1.10',
      '1:0.1',
    ];
    expect([...ordered].reverse().sort(compareDebianVersions)).toEqual(ordered);
    expect(compareDebianVersions('6.1.0-10', '6.1.0-9')).toBeGreaterThan(0);
    expect(compareDebianVersions('6.12.107-1', '6.12.107-1')).toBe(0);
  });

  it('are ordered as dpkg orders them', (ctx) => {
    const dpkg = spawnSync('dpkg', ['--version']);
    if (dpkg.status !== 0) skipWithout(ctx, 'dpkg', 'there is no dpkg to compare with');
    const text = fc.string({
      unit: fc.constantFrom('0', '1', '9', '.', '+', '~', 'a', 'Z'),
      minLength: 1,
      maxLength: 6,
    });
    const version = fc.tuple(text, text).map(([upstream, revision]) => `1${upstream}-${revision}`);
    fc.assert(
      fc.property(version, version, (a, b) => {
        const { status } = spawnSync('dpkg', ['--compare-versions', a, 'lt', b]);
        expect(compareDebianVersions(a, b) < 0).toBe(status === 0);
      }),
      { numRuns: 100 },
    );
  });
});
