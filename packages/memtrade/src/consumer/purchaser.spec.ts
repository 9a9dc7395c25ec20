import { randomBytes } from 'node:crypto';
import { ExopoolError, GiB } from '@exopool/shared';
import { afterEach, describe, expect, it } from 'vitest';
import type { Market } from '../protocol/broker-client.js';
import { DemandSampler } from './demand-sampler.js';
import { Purchaser, type PurchaserOptions } from './purchaser.js';
import { SampledTier } from './sampled-tier.js';
import { LossyTier } from '../testing/lossy-tier.js';

const slabBytes = 1024 * 1024;
const open: Purchaser[] = [];
afterEach(() => open.splice(0).forEach((each) => each.close()));

let nowMs = 0;
/** A loop over keys of 4 KiB that take 4 MiB together, a thousand requests a second. */
function demandOfLoop(): DemandSampler {
  const demand = new DemandSampler(() => nowMs);
  for (let use = 0; use < 10_240; use++) demand.use(`key ${use % 1024}`, 4096);
  nowMs += 10_240;
  return demand;
}

function purchaser(price: () => number, change: Partial<PurchaserOptions> = {}): Purchaser {
  const demand = demandOfLoop();
  const made = new Purchaser({
    market: { getMarket: () => new Promise((resolve) => resolve({ price: price() } as Market)) },
    demand: () => demand.look(),
    held: () => ({ slabs: 1, slabBytes }),
    slabsMax: 16,
    slabsAtFirst: 1,
    missSeconds: 0.01,
    waitingPrice: 0.1,
    budget: undefined,
    maxPrice: undefined,
    ...change,
  });
  open.push(made);
  return made;
}

/** The loop saves 0.9 × 1000 × 0.01 s of waiting a second: 90 cents an hour, for four slabs. */
const fairPrice = (0.9 / 4) * (GiB / slabBytes);

describe('the purchaser', () => {
  it('leases what is worth it at the price of the market', async () => {
    const cheap = purchaser(() => fairPrice / 2);
    expect(cheap.plan.slabs).toBe(1);
    await cheap.decide();
    expect(cheap.plan.slabs).toBe(4);
    const dear = purchaser(() => fairPrice * 2);
    await dear.decide();
    expect(dear.plan.slabs).toBe(0);
  });

  it('stays within the budget', async () => {
    const bought = purchaser(() => fairPrice / 2, { budget: 0.25, slabsMax: 3 });
    await bought.decide();
    expect(bought.plan).toMatchObject({ slabs: 0, budget: 0.25 });
    expect(bought.last?.reason).toBe('budget');
  });

  it('keeps to the last price while the broker is away', async () => {
    let isAway = false;
    const demand = demandOfLoop();
    const seen = demand.look();
    const made = purchaser(
      () => {
        if (isAway) throw new ExopoolError('EXOPOOL_UNAVAILABLE', 'the broker is away');
        return fairPrice / 2;
      },
      { demand: () => seen },
    );
    await made.decide();
    isAway = true;
    await made.decide();
    expect(made.last?.cost).toBeGreaterThan(0);
  });

  it('decides nothing before it has seen requests', async () => {
    const made = purchaser(() => 0, { demand: () => new DemandSampler().look() });
    await made.decide();
    expect([made.plan.slabs, made.last]).toEqual([1, undefined]);
  });
});

describe('a sampled tier', () => {
  it('learns the length of values from what is stored, and counts misses', async () => {
    const demand = new DemandSampler(() => nowMs);
    const tier = new SampledTier(new LossyTier(), demand);
    const keys = Array.from({ length: 64 }, (_, index) => Buffer.from(`key ${index}`));
    for (let round = 0; round < 10; round++) {
      for (const key of keys) {
        if (tier.mayHold(key)) await tier.getMany([key]);
        else await tier.putMany([[key, randomBytes(1000)]]);
      }
    }
    nowMs += 1000;
    const { curve, requestsPerSecond, uses } = demand.look();
    expect([uses, requestsPerSecond]).toEqual([640, 640]);
    expect(curve.at(65_000)).toBeCloseTo(0.1, 2);
    expect(curve.at(50_000)).toBeCloseTo(1, 2);
  });
});
