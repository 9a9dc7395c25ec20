/** In files that stand for the kernel's: what is asked of it, not what it does then. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pushOut, type PushOutOptions } from './push-out.js';

const MiB = 1024 * 1024;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-push-'));
  writeFileSync(join(folder, 'limit'), 'none');
  writeFileSync(join(folder, 'reclaim'), 'none');
});
afterEach(() => rmSync(folder, { recursive: true }));
const said = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** Usage is `levels[i]` after i slices, and then stays. */
function pushing(levels: readonly number[], more: Partial<PushOutOptions> = {}): PushOutOptions {
  let looks = 0;
  return {
    targetBytes: 10 * MiB,
    headroomBytes: MiB,
    limitFile: join(folder, 'limit'),
    reclaimFile: join(folder, 'reclaim'),
    usageBytes: () => levels[Math.min(looks++, levels.length - 1)]!,
    isWanted: () => true,
    ...more,
  };
}

it('goes down in slices, the last as large as what is left', async () => {
  expect(await pushOut(pushing([15 * MiB, 11 * MiB, 10 * MiB]))).toBe(10 * MiB);
  expect(said('reclaim')).toBe(String(MiB));
  expect(said('limit')).toBe(String(11 * MiB));
});

it('sets the limit and lifts it, where the kernel has nothing else', async () => {
  const isAsked: string[] = [];
  const isWanted = (): boolean => isAsked.push(said('limit')) > 0;
  const options = pushing([15 * MiB, 11 * MiB, 9 * MiB], { reclaimFile: undefined, isWanted });
  expect(await pushOut(options)).toBe(10 * MiB);
  expect(isAsked.slice(0, 3)).toEqual(['none', String(16 * MiB), String(12 * MiB)]);
  expect(said('limit')).toBe(String(11 * MiB));
});

it('stops where it gets nowhere, and holds nobody to less than that', async () => {
  const levels = [30, 26, 26, 26, 27, 26].map((mib) => mib * MiB);
  expect(await pushOut(pushing(levels))).toBe(26 * MiB);
  expect(said('limit')).toBe(String(27 * MiB));
});

it('sets no limit once it is not wanted', async () => {
  let looks = 0;
  await pushOut(pushing([30 * MiB, 26 * MiB, 22 * MiB], { isWanted: () => (looks += 1) < 3 }));
  expect(said('reclaim')).toBe(String(4 * MiB));
  expect(said('limit')).toBe('none');
});

it('says what is wrong with the files', async () => {
  const options = pushing([30 * MiB], { reclaimFile: join(folder, 'none', 'reclaim') });
  await expect(pushOut(options)).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
});
