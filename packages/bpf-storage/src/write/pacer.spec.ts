import { describe, expect, it } from 'vitest';
import { Pacer } from './pacer.js';

describe('Pacer', () => {
  it('lets pieces go one after the other, each in the time it takes', () => {
    let nowMs = 1000;
    const pacer = new Pacer(() => nowMs);
    expect(pacer.waitMs(1000)).toBe(0);
    pacer.take(500);
    expect(pacer.waitMs(1000)).toBe(500);
    nowMs += 400;
    expect(pacer.waitMs(1000)).toBe(100);
    nowMs += 100;
    expect(pacer.waitMs(1000)).toBe(0);
  });

  it('goes by the rate of the moment', () => {
    let nowMs = 0;
    const pacer = new Pacer(() => nowMs);
    pacer.take(10_000);
    expect(pacer.waitMs(1000)).toBe(10_000);
    nowMs += 1000;
    expect(pacer.waitMs(1000)).toBe(9000);
    expect(pacer.waitMs(9000)).toBe(1000);
    expect(pacer.waitMs(Infinity)).toBe(0);
    nowMs += 1;
    expect(pacer.waitMs(Infinity)).toBe(0);
    expect(pacer.waitMs(1000)).toBe(0);
  });

  it('saves up nothing during a pause', () => {
    let nowMs = 0;
    const pacer = new Pacer(() => nowMs);
    pacer.take(1000);
    nowMs = 60_000;
    expect(pacer.waitMs(1000)).toBe(0);
    pacer.take(1000);
    expect(pacer.waitMs(1000)).toBe(1000);
  });
});
