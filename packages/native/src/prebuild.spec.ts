import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { skipWithout } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import { compareVersions, glibcMax, neededGlibc } from '../scripts/needed-glibc.mjs';

const packageFolder = path.resolve(import.meta.dirname, '..');
const built = (name: string): string => path.join(packageFolder, 'build', 'Release', name);

describe('what the package carries ready-made', () => {
  it('needs no newer glibc than the README says, and no libstdc++', (ctx) => {
    expect(readFileSync(path.join(packageFolder, 'README.md'), 'utf8')).toContain(`glibc ${glibcMax}`);
    for (const name of ['exopool.node', 'exopool-nbd.so']) {
      const isBuilt = existsSync(built(name));
      skipWithout(ctx, 'build', isBuilt ? undefined : `${name} is not built`);
      const needed = neededGlibc(built(name));
      expect(compareVersions(needed, glibcMax), `${name} needs glibc ${needed}`).toBeLessThanOrEqual(0);
      expect(readFileSync(built(name), 'latin1')).not.toContain('libstdc++.so');
    }
  });

  it('compares versions by their numbers', () => {
    expect(['2.34', '2.4', '2.3.4', '2.34.1'].sort(compareVersions)).toEqual([
      '2.3.4',
      '2.4',
      '2.34',
      '2.34.1',
    ]);
  });
});
