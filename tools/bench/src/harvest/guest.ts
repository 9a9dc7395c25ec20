/**
 * Harvesting in guests whose clock counts instructions, one per nanosecond. So work takes the same time whatever the
 * load of the host. Waiting does not: QEMU lets the clock of an idle CPU follow the host's clock, and wakes the CPU
 * late if the host is busy. Redis, the load and the producer share the guest's one CPU.
 */
import { fileURLToPath } from 'node:url';
import { GiB } from '@exopool/shared';
import { runCounting } from '../engines/guest-count.js';
import type { SuiteOptions } from '../suite.js';
import { needProgram } from './applications/programs.js';
import {
  guestArgument,
  guestKernel,
  isFigures,
  parseGuestFigures,
  type GuestCase,
  type GuestFigures,
} from './guest-case.js';
import type { HarvestPlan } from './plan.js';

const guestMain = fileURLToPath(new URL('guest-main.js', import.meta.url));
/** zram may hold half of the memory. The silo takes a quarter of the disk. */
const hardware = { icount: true, nvmeBytes: 2 * GiB, memoryBytes: 3 * GiB } as const;

/** Programs of this machine that the guest runs, with their Debian packages. */
const programs = {
  redis: ['redis-server', 'redis-server'],
  memcached: ['memcached', 'memcached'],
  tools: [
    ['mkfs.ext4', 'e2fsprogs'],
    ['mkswap', 'util-linux'],
  ],
} as const;

export const guestNote =
  "rows of a guest are by its clock, one nanosecond an instruction, of one CPU that the application, the load and the producer share: compare them with each other, not with the host's; a busy host wakes an idle guest late, which p99s show";

/** @throws ExopoolError if a program is missing, or the guest fails. */
export async function measureInGuest(
  one: GuestCase,
  plan: HarvestPlan,
  { quick, signal, say }: Pick<SuiteOptions, 'quick' | 'signal' | 'say'>,
): Promise<GuestFigures> {
  for (const [name, aptPackage] of [programs[one.application], ...programs.tools])
    needProgram(name, aptPackage);
  const command = [process.execPath, guestMain, JSON.stringify(guestArgument(one, plan, { quick }))];
  const sayProgress = (line: string): void => {
    if (!isFigures(line)) say(line);
  };
  const printed = await runCounting(
    { kernel: guestKernel, command, environment: {}, hardware },
    { signal, say: sayProgress },
  );
  return parseGuestFigures(printed);
}
