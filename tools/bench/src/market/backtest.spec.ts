import { describe, expect, it } from 'vitest';
import { calibrationOf, lossesOf } from './backtest.js';
import { populationOf } from './population.js';

const trace = populationOf(150, 288, 7);

describe('backtest', () => {
  it('of persistence counts what a plain count of slabs finds', () => {
    const usage = Float64Array.of(0.5, 0.5, 0.75, 0.5);
    const { persistencePromised, persistenceLost } = lossesOf([usage], { volume: 1 }, [1], 0);
    expect(persistencePromised).toBe(32 + 32 + 16);
    expect(persistenceLost).toBe(16);
  });

  it('the predictor loses a part of what persistence does, at the volume that is wanted', () => {
    const { promised, lost, persistencePromised, persistenceLost } = lossesOf(trace, { volume: 0.98 }, [12]);
    expect(promised / persistencePromised).toBeGreaterThanOrEqual(0.98);
    expect(lost / promised).toBeLessThan(persistenceLost / persistencePromised / 2);
  });

  it('never looks ahead: what comes later changes nothing that was promised before', () => {
    const cut = trace.map((usage) => usage.slice(0, 100));
    const changed = trace.map((usage) =>
      Float64Array.from(usage, (used, step) => (step < 100 ? used : 1 - used)),
    );
    const of = (usage: typeof trace): number => lossesOf(usage, { volume: 0.98 }, [1]).promised;
    const upTo = (usage: typeof trace): number => of(usage.map((own) => own.slice(0, 100)));
    expect(upTo(changed)).toBe(of(cut));
  });

  it('odds hold in the worst tenth of the machines', () => {
    expect(calibrationOf(trace, 0.9, 12).worstDecile).toBeGreaterThan(0.85);
  });

  it('one seed gives the same machines', () => {
    expect(populationOf(5, 50, 3)).toEqual(populationOf(5, 50, 3));
    expect(populationOf(5, 50, 3)).not.toEqual(populationOf(5, 50, 4));
  });
});
