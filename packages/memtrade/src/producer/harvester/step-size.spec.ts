import { expect, it } from 'vitest';
import { MiB } from '@exopool/shared';
import { stepBytes } from './step-size.js';

const calm = { pressure: 0, returnedBytes: 0 };

it('takes a whole chunk, whatever happens, unless it is guided', () => {
  expect(stepBytes('fixed', 64 * MiB, 20, { pressure: 100, returnedBytes: 1e12 })).toBe(64 * MiB);
  expect(stepBytes('pressure', 64 * MiB, 20, calm)).toBe(64 * MiB);
});

it('takes less under pressure, and nothing at the limit of it', () => {
  expect(stepBytes('pressure', 64 * MiB, 20, { ...calm, pressure: 10 })).toBe(16 * MiB);
  expect(stepBytes('pressure', 64 * MiB, 20, { ...calm, pressure: 20 })).toBe(0);
  expect(stepBytes('pressure', 64 * MiB, 0, { ...calm, pressure: 1 })).toBe(0);
});

it('takes less when pages come back, and nothing when all of them do', () => {
  expect(stepBytes('pressure', 64 * MiB, 20, { ...calm, returnedBytes: 32 * MiB })).toBe(32 * MiB);
  expect(stepBytes('pressure', 64 * MiB, 20, { ...calm, returnedBytes: 64 * MiB })).toBe(0);
});
