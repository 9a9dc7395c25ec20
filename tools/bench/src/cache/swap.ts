/**
 * Compares swap to a disk with swap to leased memory, sealed and not, in guests that have the kernel's nbd. A process
 * uses half as much again as the limit of its cgroup. The guests' clocks count instructions, one per nanosecond, so
 * times are those of a slow processor and comparable with each other on any machine. All processes, also the producer,
 * share the guest's one CPU.
 */
import { fileURLToPath } from 'node:url';
import { GiB, MiB } from '@exopool/shared';
import { runCounting } from '../engines/guest-count.js';
import { needProgram } from '../harvest/applications/programs.js';
import type { Row, SuiteOptions } from '../suite.js';
import type { SwapArgument, SwapContender, SwapFigures } from './swap-guest-main.js';

const kernel = '6.12';
const guestMain = fileURLToPath(new URL('swap-guest-main.js', import.meta.url));
/** QEMU's NVMe device, and the same with answers delayed by a millisecond. */
export const swapDisks = [
  { name: 'swap, local disk', ratio: 'local_disk', readMs: undefined },
  { name: 'swap, disk behind a network', ratio: 'network_disk', readMs: 1 },
] as const;

const ratioNames: Partial<Record<SwapContender, string>> = {
  'leased memory, aes-128-gcm': 'gcm',
  'leased memory, off': 'off',
};

/** Programs of this machine that the guest runs, with their Debian packages. */
const programs = [
  ['mkfs.ext4', 'e2fsprogs'],
  ['mkswap', 'util-linux'],
  ['nbd-client', 'nbd-client'],
  ['nbdkit', 'nbdkit'],
] as const;

/** @throws ExopoolError if a program is missing, or the guest fails. */
export async function swapRows(options: SuiteOptions): Promise<Row[]> {
  for (const [name, aptPackage] of programs) needProgram(name, aptPackage);
  const argument: SwapArgument = { limitBytes: 96 * MiB, visits: options.quick ? 4000 : 20_000 };
  const rows: Row[] = [];
  for (const { name, readMs } of swapDisks) {
    options.say(name);
    const hardware = {
      icount: true,
      nvmeBytes: GiB,
      ...(readMs === undefined ? {} : { nvmeReadMs: readMs }),
    };
    const command = [process.execPath, guestMain, JSON.stringify(argument)];
    const printed = await runCounting({ kernel, command, environment: {}, hardware }, options);
    for (const line of printed.split('\n').filter((text) => text.startsWith('{')))
      rows.push(rowOf(name, JSON.parse(line) as SwapFigures));
  }
  return rows;
}

function rowOf(name: string, { contender, visits, seconds, faults, wrong }: SwapFigures): Row {
  return {
    name,
    contender,
    engine: `${faults} faults, ${faults === 0 ? 0 : Math.round((seconds * 1e6) / faults)} µs each`,
    ops_per_s: visits / seconds,
    ...(wrong === 0 ? {} : { failed: `${wrong} pages did not hold what was written there` }),
  };
}

/** Ratio of visits per second: leased memory to the disk. */
export function swapRatios(rows: readonly Row[]): Record<string, number> {
  const rate = (name: string, contender: string): number =>
    rows.find((row) => row.name === name && row.contender === contender)?.ops_per_s ?? NaN;
  const ratios = swapDisks.flatMap(({ name, ratio }) =>
    Object.entries(ratioNames).map(
      ([contender, mode]) =>
        [`swap_${mode}_vs_${ratio}`, rate(name, contender) / rate(name, 'disk')] as const,
    ),
  );
  return Object.fromEntries(ratios.filter(([, ratio]) => Number.isFinite(ratio)));
}
