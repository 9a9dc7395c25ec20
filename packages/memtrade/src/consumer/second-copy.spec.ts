/** Second copies over two real producers, one of which is lost. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { MiB } from '@exopool/shared';
import { openLeasedCache, type LeasedCache } from '../testing/leased-cache.js';
import { SecondCopyTier, sideOf } from './second-copy.js';

const leases: LeasedCache[] = [];
afterEach(() => leases.splice(0).forEach((lease) => lease.close()));

async function open(): Promise<{ tier: SecondCopyTier; first: LeasedCache; second: LeasedCache }> {
  const [first, second] = [await openLeasedCache(1, 4 * MiB), await openLeasedCache(1, 4 * MiB)];
  leases.push(first, second);
  return { tier: new SecondCopyTier(first.cache, second.cache), first, second };
}

const keys = Array.from({ length: 500 }, (_, index) => Buffer.from(`key ${index}`));
const valueOf = (index: number, version = 0): Buffer => Buffer.from(`${index} in version ${version}`);

describe('SecondCopyTier', () => {
  it('keeps what is hot when a producer is lost, and puts it back where there is room', async () => {
    const { tier, first } = await open();
    await tier.putMany(keys.map((key, index) => [key, valueOf(index)]));
    const hot = keys.slice(0, 8);
    while (!hot.every((key) => leases[1]!.cache.mayHold(key))) await tier.getMany(hot);
    first.lose();
    const values = await tier.getMany(keys);
    expect(values.slice(0, 8)).toEqual(hot.map((_, index) => valueOf(index)));
    const kept = values.filter((value) => value !== undefined).length;
    expect(kept).toBeLessThan(100);
    expect(tier.copyStats()).toEqual({ copies: kept, rescued: kept });
    await first.leaseAgain();
    await tier.getMany(hot);
    await expect.poll(() => hot.every((key) => first.cache.mayHold(key))).toBe(true);
    expect(tier.stats()).toMatchObject({ tampered: 0 });
  });

  it('has no copy of what was written or deleted', async () => {
    const { tier, first, second } = await open();
    const key = keys[0]!;
    await tier.putMany([[key, valueOf(0)]]);
    while (!second.cache.mayHold(key)) await tier.getMany([key]);
    await tier.putMany([[key, valueOf(0, 1)]]);
    expect(second.cache.mayHold(key)).toBe(false);
    expect(await tier.getMany([key])).toEqual([valueOf(0, 1)]);
    while (!second.cache.mayHold(key)) await tier.getMany([key]);
    await tier.deleteMany([key]);
    expect(tier.mayHold(key)).toBe(false);
    first.lose();
    expect(await tier.getMany([key])).toEqual([undefined]);
  });

  it('never gives an older value than the last that was written', async () => {
    const { tier, first } = await open();
    const few = keys.slice(0, 4);
    const written = few.map(() => 0);
    let isOver = false;
    const write = async (index: number): Promise<void> => {
      for (let version = 1; !isOver; version += 1) {
        await tier.putMany([[few[index]!, valueOf(index, version)]]);
        written[index] = version;
        if (version % 7 === 0) await nextTurn();
      }
    };
    const read = async (loses: boolean): Promise<void> => {
      for (let round = 0; round < 3000; round += 1) {
        const least = [...written];
        const values = await tier.getMany(few);
        values.forEach((value, index) => {
          if (value === undefined) return;
          expect(Number(value.toString().split(' ').at(-1))).toBeGreaterThanOrEqual(least[index]!);
        });
        if (loses && round % 500 === 250) first.lose();
        if (loses && round % 500 === 499) await first.leaseAgain();
      }
    };
    const writers = few.map((_, index) => write(index));
    await Promise.all([read(true), read(false)]).finally(() => (isOver = true));
    await Promise.all(writers);
  });
});

describe('sideOf', () => {
  const held = (first: [string, number][], second: [string, number][]) => ({
    first: new Map(first),
    second: new Map(second),
  });

  it('has a producer on one side only, and copies in their share', () => {
    expect(sideOf('a', 4, held([], []), 0.5)).toBe('first');
    expect(sideOf('b', 4, held([['a', 4]], []), 0.5)).toBe('second');
    expect(sideOf('b', 4, held([['a', 4]], []), 0.25)).toBe('first');
    expect(sideOf('a', 1, held([['a', 4]], []), 0.5)).toBe('first');
    expect(sideOf('b', 9, held([['a', 4]], [['b', 4]]), 0.5)).toBe('second');
    expect(sideOf('c', 1, held([['a', 4]], [['b', 4]]), 0.5)).toBe('first');
  });
});
