/**
 * Counts the instructions of the driver's modes: packages/native/kmod/guest/instructions.cc in a guest of the kernel
 * that the module was built for, with the hooked NVMe driver. `pread` is counted in the same run, and ratios are against
 * that.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { runCounting, runNode, type CountOptions } from './guest-count.js';

export const driverKernel = '6.12';

/** Why the module cannot be counted here; undefined when it can. */
export function whyNoDriver(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const missing = ['EXOPOOL_KMOD_HEADERS', 'EXOPOOL_KMOD_DRIVER_SOURCE'].filter((name) => !environment[name]);
  return missing.length === 0
    ? undefined
    : `the driver is not counted: set ${missing.join(' and ')} to what packages/native/kmod/README.md builds with`;
}

/** @throws ExopoolError when something cannot be built, or fails in the guest. */
export async function countDriver(options: CountOptions): Promise<string> {
  const headers = process.env['EXOPOOL_KMOD_HEADERS']!;
  const source = process.env['EXOPOOL_KMOD_DRIVER_SOURCE']!;
  const out = await mkdtemp(join(tmpdir(), 'exopool-driver-'));
  try {
    options.say('building the module, the hooked NVMe driver and the counting program');
    await runNode(['scripts/build-guest-checks.mjs', out], options.signal);
    await runNode(
      ['scripts/build-kmod.mjs', out, '--headers', headers, '--driver-source', source],
      options.signal,
    );
    const release = /linux-headers-(.*)$/.exec(basename(headers))?.[1] ?? driverKernel;
    return await runCounting(release, driverScript(out), options);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** A polled queue is for the mode `poll`. */
function driverScript(built: string): string {
  return `set -e
modprobe ext4
rmmod nvme
insmod '${built}/nvme.ko' poll_queues=1
until [ -b /dev/nvme0n1 ]; do sleep 0.1; done
mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 /dev/nvme0n1
mkdir -p /mnt/measured
mount -o noatime /dev/nvme0n1 /mnt/measured
insmod '${built}/exopool.ko'
exec '${built}/instructions' /mnt/measured/chase '${built}/driver_chase.bpf.o'`;
}
