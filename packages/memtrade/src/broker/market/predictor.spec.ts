import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DropWindows, learnedSteps } from './drop-windows.js';
import { adjustCaution, cautionForVolume, cautionMax, stableSlabs } from './lease-sizing.js';
import { Predictor } from './predictor.js';
import { dropAt, DropHistogram, stayOdds } from './stay-odds.js';
import {
  medianVolatility,
  noVolatility,
  observeChange,
  volatilityOf,
  volatilityUnknown,
} from './volatility.js';

describe('volatility', () => {
  it('is the RMS of the changes when all are alike and there are many', () => {
    let seen = noVolatility;
    for (let step = 0; step < 2000; step += 1) seen = observeChange(seen, step % 2 === 0 ? 0.03 : -0.03);
    expect(volatilityOf(seen, 0.5)).toBeCloseTo(0.03, 1);
  });

  it('of a newcomer is the median of the market', () => {
    expect(volatilityOf(noVolatility, 0.02)).toBe(0.02);
    expect(medianVolatility([])).toBe(volatilityUnknown);
    const calm = observeChange(noVolatility, 0.001);
    const wild = observeChange(noVolatility, 0.2);
    expect(medianVolatility([noVolatility, calm, wild, wild])).toBeCloseTo(0.2);
  });

  it('stays a number, whatever is observed', () => {
    const change = fc.oneof(fc.double(), fc.constantFrom(NaN, Infinity, -Infinity, 1e308));
    fc.assert(
      fc.property(fc.array(fc.tuple(change, fc.integer({ min: -1, max: 1e6 }))), (changes) => {
        let seen = noVolatility;
        for (const [by, steps] of changes) seen = observeChange(seen, by, steps);
        const volatility = volatilityOf(seen, 0.01);
        return volatility >= 0 && volatility <= 1;
      }),
    );
  });
});

describe('lease sizing', () => {
  const market = fc.array(
    fc.record({
      freeSlabs: fc.double({ min: 0, max: 64, noNaN: true }),
      volatility: fc.double({ min: 0, max: 5, noNaN: true }),
    }),
    { minLength: 1, maxLength: 40 },
  );

  it('never promises more than is free, and less to the more volatile', () => {
    fc.assert(
      fc.property(market, fc.double({ min: 0, max: 20, noNaN: true }), (memories, caution) => {
        for (const memory of memories) {
          const slabs = stableSlabs(memory, 12, caution);
          expect(slabs).toBeGreaterThanOrEqual(0);
          expect(slabs).toBeLessThanOrEqual(memory.freeSlabs + 1e-6);
          const wilder = { ...memory, volatility: memory.volatility * 2 };
          expect(stableSlabs(wilder, 12, caution)).toBeLessThanOrEqual(slabs);
        }
      }),
    );
  });

  it('finds the caution for a volume', () => {
    fc.assert(
      fc.property(market, fc.double({ min: 0.2, max: 1, noNaN: true }), (memories, volume) => {
        const caution = cautionForVolume(memories, 12, volume);
        const sum = (by: number): number =>
          memories.reduce((all, memory) => all + stableSlabs(memory, 12, by), 0);
        expect(sum(caution)).toBeGreaterThanOrEqual(Math.min(sum(cautionMax), sum(0) * volume));
      }),
    );
  });

  it('is more careful after a loss, less after none, and never leaves its bounds', () => {
    expect(adjustCaution(1, 0.01, 0.002)).toBeGreaterThan(1);
    expect(adjustCaution(1, 0, 0.002)).toBeLessThan(1);
    expect(adjustCaution(1, NaN, 0.002)).toBe(1);
    let caution = 1;
    for (let turn = 0; turn < 10_000; turn += 1) caution = adjustCaution(caution, 1, 0.002);
    expect(caution).toBe(cautionMax);
  });
});

describe('drop windows', () => {
  it('tell what a model that keeps everything tells', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 64 }), { maxLength: 80 }), (values) => {
        const windows = new DropWindows();
        for (const [now, value] of values.entries()) {
          const expected = learnedSteps.flatMap((steps, lengthClass) => {
            const start = now - steps;
            if (start < 0) return [];
            const least = Math.min(...values.slice(start + 1, now + 1));
            return [{ lengthClass, free: values[start], least, note: start }];
          });
          expect(windows.push(value, now)).toEqual(expected);
        }
      }),
    );
  });
});

describe('stay odds', () => {
  it('grow with the drop that is allowed for, and agree with the drop of a level', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.5, max: 0.999, noNaN: true }),
        (drops, level) => {
          const market = new DropHistogram(100);
          for (const drop of drops) market.add(drop);
          const own = new DropHistogram(100);
          const drop = dropAt(own, market, level)!;
          expect(stayOdds(own, market, drop + 1e-9)).toBeGreaterThanOrEqual(level - 1e-9);
          expect(stayOdds(own, market, drop / 2)).toBeLessThanOrEqual(stayOdds(own, market, drop + 1e-9));
        },
      ),
    );
  });

  it('are 0 while the market has no case', () => {
    const empty = new DropHistogram(10);
    expect(dropAt(empty, empty, 0.9)).toBeUndefined();
    expect(stayOdds(empty, empty, 5)).toBe(0);
  });
});

describe('Predictor', () => {
  it('promises less of a producer that swings than of one that is calm', () => {
    const predictor = new Predictor({ revocations: 0.002 });
    for (let step = 0; step < 300; step += 1) {
      predictor.observe('calm', step, 40, 64);
      predictor.observe('wild', step, step % 3 === 0 ? 20 : 40, 64);
    }
    expect(predictor.promise('calm', 40, 12)).toBeGreaterThanOrEqual(37);
    expect(predictor.promise('wild', 40, 12)).toBeLessThan(36);
    expect(predictor.promise('wild', 40, 12)).toBeGreaterThan(0);
    expect(predictor.slabsAt(0.999, 'wild', 40, 12)).toBeLessThanOrEqual(21);
    expect(predictor.slabsAt(0.999, 'calm', 40, 12)).toBeGreaterThan(30);
    expect(predictor.oddsOf(40, 'wild', 40, 12)).toBeLessThan(predictor.oddsOf(15, 'wild', 40, 12));
  });

  it('holds a promised share of revocations in a market that moves', () => {
    const target = 0.01;
    const predictor = new Predictor({ revocations: target });
    let state = 1;
    const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
    const free = Array.from({ length: 60 }, () => 30 + 30 * random());
    const leases: { promised: number; at: number; producer: number; least: number }[] = [];
    let [promised, lost] = [0, 0];
    for (let step = 0; step < 600; step += 1) {
      for (const producer of free.keys()) {
        const jump = random() < 0.05 ? 12 * (random() - 0.5) : random() - 0.5;
        free[producer] = Math.min(64, Math.max(0, free[producer]! + jump * (producer % 3)));
        predictor.observe(String(producer), step, free[producer], 64);
      }
      for (const lease of leases) lease.least = Math.min(lease.least, free[lease.producer]!);
      const ended = leases.filter(({ at }) => at === step - 12);
      const [all, gone] = [0, 1].map((which) =>
        ended.reduce(
          (sum, lease) =>
            sum + (which === 0 ? lease.promised : Math.max(0, lease.promised - Math.floor(lease.least))),
          0,
        ),
      );
      predictor.settle(all!, gone!);
      if (step > 200) [promised, lost] = [promised + all!, lost + gone!];
      leases.splice(0, ended.length);
      for (const producer of free.keys()) {
        const slabs = predictor.promise(String(producer), free[producer]!, 12);
        leases.push({ promised: slabs, at: step, producer, least: Infinity });
      }
    }
    expect(lost / promised).toBeGreaterThan(target * 0.7);
    expect(lost / promised).toBeLessThan(target * 1.3);
  });

  it('takes nonsense, gaps and repeats without harm to itself or others', () => {
    const predictor = new Predictor({ volume: 0.98 });
    const value = fc.oneof(fc.double(), fc.constantFrom(NaN, -1, Infinity, -Infinity, 1e300));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -5, max: 1000 }), value, value)), (reports) => {
        for (const [step, free, size] of reports) predictor.observe('liar', step, free, size);
        predictor.balance(12);
        const promised = predictor.promise('honest', 10, 12);
        expect(promised).toBeGreaterThanOrEqual(0);
        expect(promised).toBeLessThanOrEqual(10);
        expect(predictor.caution).toBeGreaterThanOrEqual(0);
      }),
    );
    predictor.forget('liar');
  });
});
