/**
 * Measures exopool.ko in guests with the module and the hooked NVMe driver, both built for the guest's kernel. The
 * programs are those of packages/native/kernel/kmod/guest. `pread` is measured in the same run, for the ratios.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GiB } from '@exopool/shared';
import { measureCommand, prepareDriver, type DriverKit, type DriverMeasurement } from '@exopool/vm';
import { runCounting, runProgramHere, type CountOptions, type Hardware } from './guest-count.js';
import type { FileSystem, GuestPlan } from './guest-plan.js';

/** The kernel series of Debian that most users of the module run. */
export const driverKernel = '6.12';
/** Budget of chained reads per second: a tenth of the capacity of a guest's CPU on a null block device. */
export const fairBudget = 12_000;
const nullBlock: Hardware = { nullBlockBytes: GiB };

/** Each program prints lines of JSON. @throws ExopoolError if the guest fails, or a program in it. */
export class DriverBench {
  private constructor(
    private readonly kit: DriverKit,
    private readonly plan: GuestPlan,
    private readonly options: CountOptions,
  ) {}

  /** @throws ExopoolError with the reason if the module cannot be built here. */
  static async with<T>(
    plan: GuestPlan,
    options: CountOptions,
    work: (bench: DriverBench) => Promise<T>,
  ): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), 'exopool-driver-'));
    try {
      const { signal } = options;
      const kit = await prepareDriver(driverKernel, folder, {
        signal,
        progress: (line) => options.say(line),
      });
      return await work(new DriverBench(kit, plan, options));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  countInstructions(fileSystem: FileSystem): Promise<string> {
    const words = this.#walkWords;
    return this.#run({ program: 'instructions', device: '/dev/nvme0n1', fileSystem, words });
  }

  /** On a device that answers at once. */
  time(fileSystem: FileSystem): Promise<string> {
    const words = this.#walkWords;
    return this.#run({ program: 'wall_time', device: '/dev/nullb0', fileSystem, words }, nullBlock);
  }

  /** With a budget and without, on a device with a response time, and on one that answers at once. */
  shareCpu(device: DriverMeasurement['device']): Promise<string> {
    const hardware = device === '/dev/nullb0' ? nullBlock : { nvmeBytes: GiB };
    const words = ['--seconds', String(this.plan.fairnessSeconds), '--budgets', `0,${fairBudget}`];
    const measurement = { program: 'fairness', device, fileSystem: 'ext4', words } as const;
    return this.#run(measurement, { ...hardware, icount: true });
  }

  /** On this machine. */
  lookUpExtents(): Promise<string> {
    return runProgramHere(join(this.kit.folder, 'extent_check'), [], this.options.signal);
  }

  get #walkWords(): string[] {
    const { depths, driverChains, driverWalks } = this.plan;
    const lists = ['--depths', depths.join(','), '--chains', driverChains.join(',')];
    return [...lists, '--walks', String(driverWalks)];
  }

  #run(measurement: DriverMeasurement, hardware?: Hardware): Promise<string> {
    const { release, environment } = this.kit;
    const command = measureCommand(this.kit, measurement);
    return runCounting({ kernel: release, command, environment, hardware }, this.options);
  }
}
