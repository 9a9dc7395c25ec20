/**
 * Counts the instructions of the driver's modes, packages/native/kmod/guest/instructions.cc, in a guest with the module
 * and the hooked NVMe driver, which are built for its kernel. `pread` is counted in the same run, and ratios are against
 * that.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureCommand, prepareDriver } from '@exopool/vm';
import { runCounting, type CountOptions } from './guest-count.js';
import type { FileSystem, GuestPlan } from './guest-plan.js';

/** The series of Debian that most people run who can load the module. */
export const driverKernel = '6.12';

/** @throws ExopoolError with the reason when the module cannot be built here, or something fails in the guest. */
export async function countDriver(
  fileSystem: FileSystem,
  { depths, driverChains, driverWalks }: GuestPlan,
  options: CountOptions,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'exopool-driver-'));
  try {
    const { signal } = options;
    const kit = await prepareDriver(driverKernel, folder, { signal, progress: (line) => options.say(line) });
    const words = [
      '--depths',
      depths.join(','),
      '--chains',
      driverChains.join(','),
      '--walks',
      String(driverWalks),
    ];
    const command = measureCommand(kit, fileSystem, words);
    return await runCounting({ kernel: kit.release, command, environment: kit.environment }, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
