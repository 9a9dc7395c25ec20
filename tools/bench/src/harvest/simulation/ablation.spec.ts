/** Properties of the simulated harvester that hold whatever its figures. */
import { MiB } from '@exopool/shared';
import { describe, expect, it } from 'vitest';
import { paperSettings, simulate } from './ablation.js';
import { memoryBytes, SimulatedApplication } from './simulated-application.js';

const hours = 2;
const seed = 3;

describe('simulate', () => {
  const usual = simulate(paperSettings, hours, seed);

  it('harvests something, at a small cost, and the same each time', () => {
    expect(usual.harvestedShare).toBeGreaterThan(0.05);
    expect(usual.slowdown).toBeLessThan(0.01);
    expect(simulate(paperSettings, hours, seed)).toEqual(usual);
  });

  it('harvests less with smaller steps and with longer cooling', () => {
    const small = simulate({ ...paperSettings, chunkBytes: 16 * MiB }, hours, seed);
    const slow = simulate({ ...paperSettings, coolingMs: 3 * paperSettings.coolingMs }, hours, seed);
    expect(small.harvestedShare).toBeLessThan(usual.harvestedShare);
    expect(slow.harvestedShare).toBeLessThan(usual.harvestedShare);
  });

  it('costs the application more when more loss is allowed', () => {
    const bold = simulate({ ...paperSettings, dropThreshold: 0.1, chunkBytes: 128 * MiB }, 2 * hours, seed);
    const usualLonger = simulate({ ...paperSettings, chunkBytes: 128 * MiB }, 2 * hours, seed);
    expect(bold.slowdown).toBeGreaterThanOrEqual(usualLonger.slowdown);
    expect(bold.harvestedShare).toBeGreaterThanOrEqual(usualLonger.harvestedShare);
  });
});

describe('SimulatedApplication', () => {
  it('keeps within its limit, and loses nothing', () => {
    const application = new SimulatedApplication(seed);
    const { sample, slowdown } = application.epoch(undefined);
    expect(sample).toMatchObject({ usageBytes: memoryBytes, swappedBytes: 0, pageIns: 0 });
    expect(slowdown).toBe(0);
    for (const share of [0.9, 0.5, 0.1]) {
      const under = application.epoch(memoryBytes * share).sample;
      expect(under.usageBytes).toBeLessThanOrEqual(memoryBytes * share);
      expect(under.usageBytes + under.swappedBytes).toBe(memoryBytes);
    }
    application.prefetch(memoryBytes);
    expect(application.epoch(undefined).sample.swappedBytes).toBe(0);
  });
});
