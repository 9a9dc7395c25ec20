import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GiB, MiB } from '@exopool/shared';
import { isWorthCompacting, planSilo, type SiloMachine } from './silo-policy.js';

const machine: SiloMachine = {
  totalBytes: 8 * GiB,
  swapPaths: [],
  hasZram: true,
  hasZramWriteback: false,
  hasZswap: false,
  diskFreeBytes: 100 * GiB,
};
const settings = { swapBytes: 4 * GiB, backingBytes: 2 * GiB, pageBytes: 4096 };

it('makes zram where there is no swap, with a file behind it where the kernel can', () => {
  expect(planSilo(machine, settings)).toEqual({ kind: 'zram', sizeBytes: 4 * GiB });
  const able = { ...machine, hasZramWriteback: true };
  expect(planSilo(able, settings)).toEqual({
    kind: 'zram with writeback',
    sizeBytes: 6 * GiB,
    backingBytes: 2 * GiB,
  });
  expect(planSilo({ ...able, diskFreeBytes: 0 }, settings).kind).toBe('zram');
  expect(planSilo(able, { ...settings, backingBytes: 0 }).kind).toBe('zram');
});

it('uses the swap that is there, with zswap before a disk', () => {
  expect(planSilo({ ...machine, swapPaths: ['/dev/sda2'] }, settings)).toEqual({ kind: 'existing swap' });
  expect(planSilo({ ...machine, swapPaths: ['/dev/sda2'], hasZswap: true }, settings).kind).toBe('zswap');
  const both = { ...machine, swapPaths: ['/swap', '/dev/zram0'], hasZswap: true };
  expect(planSilo(both, settings)).toEqual({ kind: 'existing swap' });
});

it('says why there is none', () => {
  expect(planSilo({ ...machine, hasZram: false }, settings)).toMatchObject({ reason: /modprobe zram/ });
  expect(planSilo(machine, { ...settings, swapBytes: 0 })).toMatchObject({ reason: /--swap-mib/ });
});

it('compacts where there is something to win', () => {
  expect(isWorthCompacting({ compressedBytes: 700 * MiB, memoryBytes: 800 * MiB })).toBe(true);
  expect(isWorthCompacting({ compressedBytes: 770 * MiB, memoryBytes: 800 * MiB })).toBe(false);
  // Of a small pool no gap is worth it, not even half of it.
  expect(isWorthCompacting({ compressedBytes: 4 * MiB, memoryBytes: 8 * MiB })).toBe(false);
  expect(isWorthCompacting({ compressedBytes: 0, memoryBytes: 0 })).toBe(false);
});

it('keeps to its bounds, in whole pages', () => {
  const anyMachine = fc.record({
    totalBytes: fc.integer({ min: MiB, max: 1024 * GiB }),
    swapPaths: fc.subarray(['/dev/zram0', '/dev/sda2']),
    hasZram: fc.boolean(),
    hasZramWriteback: fc.boolean(),
    hasZswap: fc.boolean(),
    diskFreeBytes: fc.nat(100 * MiB),
  });
  fc.assert(
    fc.property(anyMachine, fc.nat(10 * MiB), fc.nat(10 * MiB), (one, swapBytes, backingBytes) => {
      const plan = planSilo(one, { swapBytes, backingBytes, pageBytes: 4096 });
      if (plan.kind !== 'zram' && plan.kind !== 'zram with writeback') return;
      const backing = plan.kind === 'zram' ? 0 : plan.backingBytes;
      expect(plan.sizeBytes % 4096).toBe(0);
      expect(plan.sizeBytes - backing).toBeLessThanOrEqual(Math.min(swapBytes, one.totalBytes / 2));
      expect(backing).toBeLessThanOrEqual(Math.min(backingBytes, one.diskFreeBytes / 4));
    }),
  );
});
