import { describe, expect, it } from 'vitest';
import { Pacer } from './pacer.js';

describe('Pacer', () => {
  it('lets pieces go one after the other, each in the time it takes', () => {
    let nowMs = 1000;
    const pacer = new Pacer(() => nowMs);
    expect([500, 500, 1000].map((bytes) => pacer.reserve(bytes, 1000))).toEqual([0, 500, 1000]);
    nowMs += 1500;
    expect(pacer.reserve(100, 1000)).toBe(500);
    expect(pacer.reserve(100, 100_000)).toBe(600);
  });

  it('saves up nothing during a pause', () => {
    let nowMs = 0;
    const pacer = new Pacer(() => nowMs);
    pacer.reserve(1000, 1000);
    nowMs = 60_000;
    expect([1000, 1000].map((bytes) => pacer.reserve(bytes, 1000))).toEqual([0, 1000]);
  });
});
