import { describe, expect, it } from 'vitest';
import { refusedSkips, requiredFeatures, skipSummary, type Skip } from './skip-floor.js';

const zram: Skip = { test: 'a.spec.ts:1 a', lack: { feature: 'zram', reason: 'needs zram' } };
const redis: Skip = { test: 'b.spec.ts:2 b', lack: { feature: 'redis', reason: 'not installed' } };

describe('a skipped test', () => {
  it('is refused when the machine must have the feature, with the line that brings it', () => {
    expect(refusedSkips([zram, redis], requiredFeatures('page-cache-bpf,redis'))).toEqual([
      expect.stringMatching(/^b\.spec\.ts:2 b: .*'redis': not installed; apt-get install redis-server/),
    ]);
  });

  it('is refused when it does not say what it lacks', () => {
    expect(refusedSkips([{ test: 'c', lack: undefined }], new Set())).toEqual([
      expect.stringMatching(/^c: /),
    ]);
  });

  it('is counted by feature and reason', () => {
    expect(skipSummary([zram, redis, zram])).toEqual(['1 x redis: not installed', '2 x zram: needs zram']);
  });
});

it('a required feature must be one of the list', () => {
  expect(requiredFeatures(undefined).size).toBe(0);
  expect(() => requiredFeatures('redis,reddis')).toThrow(/no feature 'reddis'; there are: all, /);
});
