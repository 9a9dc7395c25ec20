import { describe, expect, it } from 'vitest';
import { Draws, KeyStream } from './key-stream.js';
import { keyOf } from './records.js';

const drawn = (distribution: 'uniform' | 'zipf' | 'absent', seed = 1): number[] => {
  const draw = new Draws(1000, seed).of(distribution);
  return Array.from({ length: 10_000 }, draw);
};

describe('Draws', () => {
  it('repeats itself by its seed', () => {
    expect(drawn('uniform')).toEqual(drawn('uniform'));
    expect(drawn('uniform', 2)).not.toEqual(drawn('uniform'));
  });

  it('stays among the records, or among those that are not there', () => {
    for (const distribution of ['uniform', 'zipf'] as const) {
      expect(Math.min(...drawn(distribution))).toBeGreaterThanOrEqual(0);
      expect(Math.max(...drawn(distribution))).toBeLessThan(1000);
    }
    expect(Math.min(...drawn('absent'))).toBeGreaterThanOrEqual(1000);
  });

  it('asks for popular records much more often by Zipf', () => {
    const first = drawn('zipf').filter((index) => index === 0).length;
    expect(first).toBeGreaterThan(500);
    expect(drawn('uniform').filter((index) => index === 0).length).toBeLessThan(50);
  });
});

describe('KeyStream', () => {
  it('pairs keys with the records that they are of, beyond one chunk', () => {
    const draw = new Draws(1000, 1).of('uniform');
    const keys = new KeyStream({ toKey: (bytes) => bytes, draw });
    const first = keys.next();
    for (let number = 0; number < 40_000; number += 1) {
      const { key, index } = keys.next();
      if (number % 1000 === 0) expect(key).toEqual(keyOf(index));
    }
    expect(first.key).toEqual(keyOf(first.index));
  });
});
