import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { machineCapabilities } from './capabilities.js';
import { readSwapAreas } from './swap.js';

it('says of every mechanism what was found, and how to enable what is off', () => {
  const capabilities = machineCapabilities();
  expect(new Set(capabilities.map(({ name }) => name)).size).toBe(capabilities.length);
  for (const { available, reason, fix } of capabilities) {
    expect(reason).toBeTruthy();
    expect(fix === undefined).toBe(available);
  }
});

it('agrees with what can be seen', () => {
  const available = (name: string): boolean =>
    machineCapabilities().find((entry) => entry.name === name)!.available;
  expect(available('root')).toBe(process.getuid?.() === 0);
  expect(available('zram')).toBe(process.getuid?.() === 0 && existsSync('/sys/class/zram-control/hot_add'));
  expect(available('swap')).toBe(readSwapAreas().length > 0);
  expect(available('DAMON')).toBe(existsSync('/sys/kernel/mm/damon/admin'));
});
