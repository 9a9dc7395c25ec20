import { needs } from '@exopool/house';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockTrace, whyNoTrace } from '../../testing/block-trace.js';
import { hashKey } from './key-hash.js';
import { meanAbsoluteError, type MissRatioCurve } from './miss-ratio-curve.js';
import { RecencyTree } from './recency-tree.js';
import { SampleSet } from './sample-set.js';
import { Shards } from './shards.js';
import { exactCurve, type TraceUse } from './trace-curves.js';

const MiB = 1024 * 1024;

function sample(uses: readonly TraceUse[], samples?: number): { curve: MissRatioCurve; shards: Shards } {
  const shards = new Shards(samples);
  for (const { key, bytes } of uses) shards.use(hashKey(key), bytes);
  return { curve: shards.curve(), shards };
}

/** The simple algorithm: a list, the last used key first. */
function missesOfLru(uses: readonly TraceUse[], capacity: number): number {
  let stack: TraceUse[] = [];
  let misses = 0;
  for (const use of uses) {
    let before = 0;
    const at = stack.findIndex((each) => each.key === use.key || ((before += each.bytes), false));
    if (at < 0 || before + use.bytes > capacity) misses++;
    stack = [use, ...stack.filter((each) => each.key !== use.key)];
  }
  return misses;
}

/** Keys by a power law, with sizes, and a scan now and then; the same in every run. */
function generatedTrace(length: number): TraceUse[] {
  let state = 12_345;
  const draw = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  return Array.from({ length }, (_, index) => {
    const isScan = index % 20_000 > 17_000;
    const rank = isScan ? 1_000_000 + index : Math.floor(Math.exp(draw() * Math.log(60_000)));
    return { key: `key ${rank}`, bytes: 512 + ((rank * 7919) % 8) * 512 };
  });
}

describe('the exact curve', () => {
  it('says what a least-recently-used list does', () => {
    const use = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), bytes: fc.constant(64) });
    fc.assert(
      fc.property(fc.array(use, { minLength: 1, maxLength: 60 }), fc.nat({ max: 8 }), (uses, values) => {
        const curve = exactCurve(uses);
        expect(curve.at(values * 64)).toBeCloseTo(missesOfLru(uses, values * 64) / uses.length, 9);
      }),
    );
  });
});

describe('the parts', () => {
  it('recency: sums as a list would', () => {
    const step = fc.record({ item: fc.nat({ max: 5 }), weight: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const slots = new Map<number, number>();
        const tree = new RecencyTree(8, (item, slot) => slots.set(item, slot));
        let list: { item: number; weight: number }[] = [];
        for (const { item, weight } of steps) {
          const slot = slots.get(item);
          if (slot !== undefined) {
            const after = list.slice(list.findIndex((each) => each.item === item) + 1);
            expect(tree.weightAfter(slot)).toBe(after.reduce((sum, each) => sum + each.weight, 0));
            tree.remove(slot);
          }
          list = [...list.filter((each) => each.item !== item), { item, weight }];
          slots.set(item, tree.append(item, weight));
        }
      }),
    );
  });

  it('samples: finds what is in, drops the greatest', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2 ** 32 - 1 }), { maxLength: 80 }), (hashes) => {
        const set = new SampleSet(8);
        const model = new Map<number, number>();
        for (const high of hashes) {
          const hash = { high, low: high };
          expect(set.find(hash)).toBe(model.get(high) ?? -1);
          if (model.has(high)) continue;
          if (set.isFull) {
            const greatest = Math.max(...model.keys());
            expect(set.greatest).toBe(greatest);
            expect(set.removeGreatest()).toBe(model.get(greatest));
            model.delete(greatest);
          }
          model.set(high, set.insert(hash));
          expect(new Set(model.values()).size).toBe(model.size);
        }
      }),
    );
  });
});

describe('the sampled curve', () => {
  it('is the exact one as long as every key is sampled', () => {
    const uses = generatedTrace(5000);
    expect(meanAbsoluteError(sample(uses).curve, exactCurve(uses), 10 * MiB)).toBeLessThan(1e-9);
  });

  it('is close to it with a fraction of the keys and less than a mebibyte', () => {
    const uses = generatedTrace(200_000);
    const exact = exactCurve(uses);
    const { curve, shards } = sample(uses, 4096);
    expect(shards.rate).toBeLessThan(0.2);
    expect(meanAbsoluteError(curve, exact, exact.workingSetBytes)).toBeLessThan(0.02);
    expect(new Shards().memoryBytes).toBeLessThanOrEqual(MiB);
  });

  it('is within 2 % of it on block requests of a real machine', needs('traces', whyNoTrace()), () => {
    const uses = blockTrace();
    const exact = exactCurve(uses);
    const { curve, shards } = sample(uses);
    expect(shards.memoryBytes).toBeLessThanOrEqual(MiB);
    expect(meanAbsoluteError(curve, exact, exact.workingSetBytes)).toBeLessThan(0.02);
  });
});
