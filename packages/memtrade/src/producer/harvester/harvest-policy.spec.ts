import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HarvestPolicy,
  type HarvestDecision,
  type HarvestSample,
  type HarvestSettings,
} from './harvest-policy.js';

const settings: HarvestSettings = {
  direction: 'lower',
  tail: 0.99,
  dropThreshold: 0.01,
  dropSlack: 0.5,
  severeEpochs: 3,
  pressureMax: 20,
  baselineWindowMs: 100_000,
  recentWindowMs: 20_000,
  baselinePointsMin: 3,
  recentPointsMin: 2,
  chunkBytes: 100,
  stepGuide: 'fixed',
  coolingMs: 2000,
  recoveryMs: 5000,
  floorBytes: 300,
};
const calm: HarvestSample = {
  nowMs: 0,
  performance: 10,
  pageIns: 0,
  usageBytes: 1000,
  swappedBytes: 0,
  isStalled: false,
  isPushingOut: false,
  pressure: 0,
  swapFreeBytes: 1e9,
};

/** Runs one epoch a second; what is not given is calm. */
function play(
  policy: HarvestPolicy,
  startMs: number,
  epochs: readonly Partial<HarvestSample>[],
): HarvestDecision[] {
  return epochs.map((epoch, index) => policy.step({ ...calm, nowMs: startMs + index * 1000, ...epoch }));
}
const times = (count: number, epoch: Partial<HarvestSample> = {}): Partial<HarvestSample>[] =>
  Array.from({ length: count }, () => epoch);

describe('HarvestPolicy', () => {
  it('is not blinded by a point that is no number', () => {
    const policy = new HarvestPolicy(settings);
    play(policy, 0, [{ performance: Infinity }, { performance: Number.NaN }, ...times(3)]);
    const bad = { performance: 20, pageIns: 1, swappedBytes: 1000 };
    const decisions = play(policy, 5000, times(settings.severeEpochs, bad));
    expect(decisions.some(({ isDrop }) => isDrop)).toBe(true);
    expect(decisions.at(-1)!.prefetchBytes).toBeGreaterThan(0);
  });

  it('learns first, then takes a chunk and waits', () => {
    const decisions = play(new HarvestPolicy(settings), 0, times(6));
    expect(decisions.map(({ phase, limitBytes }) => [phase, limitBytes])).toEqual([
      ['learning', undefined],
      ['learning', undefined],
      ['harvesting', 900],
      ['cooling', 900],
      ['harvesting', 800],
      ['cooling', 800],
    ]);
  });

  it('lifts the limit on a drop, recovers, and starts again', () => {
    const policy = new HarvestPolicy(settings);
    play(policy, 0, times(4));
    const [drop] = play(policy, 4000, [{ performance: 12, pageIns: 5 }]);
    expect(drop).toEqual({ phase: 'recovering', limitBytes: undefined, isDrop: true, prefetchBytes: 0 });
    expect(play(policy, 5000, times(4)).map(({ phase }) => phase)).toEqual(times(4).map(() => 'recovering'));
    expect(play(policy, 9000, times(1))[0]).toMatchObject({ phase: 'harvesting', limitBytes: 900 });
  });

  it('takes a difference within threshold and slack for noise', () => {
    const policy = new HarvestPolicy(settings);
    const decisions = play(policy, 0, [...times(4), ...times(10, { performance: 10.4, pageIns: 1 })]);
    expect(decisions.every(({ isDrop }) => !isDrop)).toBe(true);
  });

  it('knows metrics for which more is better', () => {
    const policy = new HarvestPolicy({ ...settings, direction: 'higher' });
    play(policy, 0, times(4));
    expect(play(policy, 4000, [{ performance: 15 }])[0]!.isDrop).toBe(false);
    expect(play(policy, 5000, [{ performance: 5, pageIns: 1 }])[0]!.isDrop).toBe(true);
  });

  it('learns nothing about calm from epochs with page-ins', () => {
    const policy = new HarvestPolicy(settings);
    play(policy, 0, times(3));
    play(policy, 3000, times(5, { performance: 10.2, pageIns: 3, swappedBytes: 100 }));
    expect(policy.tails).toEqual({ baseline: 10, recent: 10.2 });
  });

  it.each([{ isStalled: true }, { pressure: 21 }])('takes %j for a drop by itself', (trouble) => {
    const policy = new HarvestPolicy(settings);
    play(policy, 0, times(4));
    expect(play(policy, 4000, [trouble])[0]).toMatchObject({ isDrop: true, limitBytes: undefined });
  });

  it('stops at the floor, and when swap is full', () => {
    const policy = new HarvestPolicy(settings);
    const down = play(policy, 0, times(40));
    expect(down.at(-1)).toMatchObject({ phase: 'at floor', limitBytes: 300 });
    const full = play(new HarvestPolicy(settings), 0, times(5, { swapFreeBytes: 99 }));
    expect(full.at(-1)).toMatchObject({ phase: 'swap full', limitBytes: undefined });
  });

  it('brings back what it took last when it is severe for long enough', () => {
    // A threshold that no percentile reaches: what is left is being worse than every point.
    const policy = new HarvestPolicy({ ...settings, dropThreshold: 10, coolingMs: 60_000 });
    play(policy, 0, times(4));
    const bad = { performance: 12, pageIns: 5, swappedBytes: 250 };
    const decisions = play(policy, 4000, [...times(5, bad), {}, ...times(3, bad)]);
    expect(decisions.map(({ prefetchBytes }) => prefetchBytes)).toEqual([0, 0, 100, 100, 100, 0, 0, 0, 100]);
    expect(decisions.map(({ isDrop }) => isDrop).indexOf(true)).toBe(2);
    expect(play(policy, 13_000, [{ ...bad, swappedBytes: 60 }])[0]!.prefetchBytes).toBe(60);
    // Nothing of it is out: its own bad time.
    expect(play(policy, 14_000, times(5, { performance: 50 })).every((one) => one.prefetchBytes === 0)).toBe(
      true,
    );
  });

  it('takes no step while the last one is being pushed out', () => {
    const policy = new HarvestPolicy(settings);
    play(policy, 0, times(3));
    const decisions = play(policy, 5000, [...times(3, { isPushingOut: true }), {}]);
    expect(decisions.map(({ limitBytes }) => limitBytes)).toEqual([900, 900, 900, 800]);
    expect(play(policy, 9000, [{ isPushingOut: true, isStalled: true }])[0]).toMatchObject({ isDrop: true });
  });

  it('takes less under pressure when it is guided by it', () => {
    const policy = new HarvestPolicy({ ...settings, stepGuide: 'pressure', chunkBytes: 1 << 20 });
    const usageBytes = 100 << 20;
    play(policy, 0, times(2, { usageBytes }));
    const [step] = play(policy, 2000, [{ usageBytes, pressure: 10 }]);
    expect(step).toMatchObject({ phase: 'harvesting', limitBytes: usageBytes - (1 << 18) });
    expect(play(policy, 4000, [{ usageBytes, pressure: 20 }])[0]).toMatchObject({ phase: 'cooling' });
  });

  it('goes on from the limit that the kernel reached', () => {
    const policy = new HarvestPolicy(settings);
    play(policy, 0, times(3));
    policy.reached(950);
    expect(play(policy, 4000, times(1))[0]).toMatchObject({ phase: 'harvesting', limitBytes: 850 });
  });
});

describe('HarvestPolicy, whatever happens', () => {
  const anyEpoch: fc.Arbitrary<HarvestSample> = fc.record({
    nowMs: fc.integer({ min: 1, max: 3000 }),
    performance: fc.option(fc.double(), { nil: undefined }),
    pageIns: fc.nat(3),
    usageBytes: fc.nat(5000),
    swappedBytes: fc.nat(100),
    isStalled: fc.oneof(
      { weight: 9, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
    isPushingOut: fc.boolean(),
    pressure: fc.nat(25),
    swapFreeBytes: fc.nat(5000),
  });

  it('keeps its promises', () => {
    fc.assert(
      fc.property(
        fc.array(anyEpoch, { maxLength: 60 }),
        fc.constantFrom('lower' as const, 'higher' as const),
        fc.constantFrom('fixed' as const, 'pressure' as const),
        (epochs, direction, stepGuide) => {
          const policy = new HarvestPolicy({ ...settings, direction, stepGuide });
          let nowMs = 0;
          let known = 0;
          let limit: number | undefined;
          let lastStepMs = -Infinity;
          let lastDropMs = -Infinity;
          for (const epoch of epochs) {
            nowMs += epoch.nowMs;
            if (epoch.performance !== undefined && !Number.isNaN(epoch.performance)) known += 1;
            const decision = policy.step({ ...epoch, nowMs });
            if (decision.limitBytes !== undefined)
              expect(decision.limitBytes).toBeGreaterThanOrEqual(settings.floorBytes);
            if (decision.isDrop) expect(decision.limitBytes).toBeUndefined();
            expect(decision.prefetchBytes).toBeLessThanOrEqual(epoch.swappedBytes);
            if (decision.prefetchBytes > 0) expect(decision.limitBytes).toBeUndefined();
            if (limit !== undefined && (epoch.isStalled || epoch.pressure > settings.pressureMax)) {
              expect(decision.limitBytes).toBeUndefined();
            }
            if (decision.phase === 'harvesting') {
              expect(epoch.isPushingOut).toBe(false);
              expect(known).toBeGreaterThanOrEqual(settings.baselinePointsMin);
              expect(nowMs - lastStepMs).toBeGreaterThanOrEqual(settings.coolingMs);
              expect(nowMs - lastDropMs).toBeGreaterThanOrEqual(settings.recoveryMs);
              expect(decision.limitBytes!).toBeLessThan(Math.min(limit ?? Infinity, epoch.usageBytes));
              expect(epoch.swapFreeBytes).toBeGreaterThanOrEqual(settings.chunkBytes);
              lastStepMs = nowMs;
            } else if (!decision.isDrop) {
              expect(decision.limitBytes).toBe(limit);
            }
            if (decision.isDrop) lastDropMs = nowMs;
            limit = decision.limitBytes;
          }
        },
      ),
    );
  });
});
