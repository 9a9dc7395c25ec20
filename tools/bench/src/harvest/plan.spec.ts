import { expect, it } from 'vitest';
import { planOf } from './plan.js';

it('has time for every application and the burst within the minutes that are promised', () => {
  for (const [quick, minutes] of [
    [true, 6],
    [false, 50],
  ] as const) {
    const { roundsUntilSeconds, burst, harvestSeconds, ablation } = planOf({
      quick,
      rounds: undefined,
      windowSeconds: undefined,
    });
    const bursts = 2 * burst.rounds * burst.media.length;
    const burstSeconds = burst.seconds + bursts * (burst.seconds + harvestSeconds);
    const ablationSeconds =
      ablation === undefined ? 0 : 12 * (2 * ablation.windowSeconds + ablation.harvestSeconds);
    expect(roundsUntilSeconds + burstSeconds + ablationSeconds).toBeLessThan(minutes * 60 * 0.95);
  }
});

it('takes the wishes of the command line', () => {
  expect(planOf({ quick: true, rounds: 7, windowSeconds: 1 })).toMatchObject({ rounds: 7, windowSeconds: 1 });
});
