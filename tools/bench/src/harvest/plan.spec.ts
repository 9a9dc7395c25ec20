import { expect, it } from 'vitest';
import { planOf } from './plan.js';

it('has time for every application and the burst within the minutes that are promised', () => {
  for (const [quick, minutes] of [
    [true, 6],
    [false, 25],
  ] as const) {
    const { roundsUntilSeconds, burst, harvestSeconds } = planOf({
      quick,
      rounds: undefined,
      windowSeconds: undefined,
    });
    const burstSeconds = burst.seconds + 2 * burst.rounds * (burst.seconds + harvestSeconds);
    expect(roundsUntilSeconds + burstSeconds).toBeLessThan(minutes * 60 * 0.95);
  }
});

it('takes the wishes of the command line', () => {
  expect(planOf({ quick: true, rounds: 7, windowSeconds: 1 })).toMatchObject({ rounds: 7, windowSeconds: 1 });
});
