import { readdir } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scanBatches } from '@exopool/native/internal';
import { ExternalSort } from './external-sort.js';
import { inFolder } from '../testing/folder.js';
import { keyArbitrary, sortPairs, type Pair } from '../testing/table.js';

async function sortAll(
  folder: string,
  pairs: readonly Pair[],
  runBytes: number,
): Promise<{ sorted: Pair[]; runs: number }> {
  const sorter = new ExternalSort({ folder, name: 'test', runBytes });
  try {
    for (const [key, value] of pairs) if (!sorter.add(key, value)) await sorter.spill();
    const { sources } = await sorter.sources();
    const sorted: Pair[] = [];
    for await (const batch of scanBatches(sources, {}, () => undefined)) {
      for (const [key, value] of batch) sorted.push([Buffer.from(key), Buffer.from(value)]);
    }
    return { sorted, runs: sorter.runs };
  } finally {
    await sorter.close();
  }
}

describe('ExternalSort', () => {
  it('sorts any keys, spilled or not; the last of equal keys wins', async () => {
    const pairs = fc.array(keyArbitrary, { maxLength: 150 });
    await fc.assert(
      fc.asyncProperty(pairs, fc.constantFrom(3000, 9000, 1 << 20), async (keys, runBytes) => {
        await inFolder(async (folder) => {
          const numbered = keys.map((key, index): Pair => [key, Buffer.from(String(index))]);
          const { sorted } = await sortAll(folder, numbered, runBytes);
          expect(sorted).toEqual(sortPairs(numbered));
          expect(await readdir(folder)).toEqual([]);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('merges runs of one level into a run of the next when there are too many', async () => {
    await inFolder(async (folder) => {
      // Some entries a run: more than 256 runs, so that a second level is made.
      const pairs = Array.from({ length: 4000 }, (_, index): Pair => {
        return [Buffer.from(String((index * 7) % 1000)), Buffer.from(String(index))];
      });
      const { sorted, runs } = await sortAll(folder, pairs, 1000);
      expect(runs).toBeGreaterThan(257);
      expect(sorted).toEqual(sortPairs(pairs));
      expect(await readdir(folder)).toEqual([]);
    });
  });
});
