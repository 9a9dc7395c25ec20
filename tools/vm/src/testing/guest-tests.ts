/** Tests that boot guests: `*.vm.spec.ts`, run by `./exopool test --vm` alone, since each boot takes some ten seconds. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runInGuest, type GuestOptions } from '../run-in-guest.js';

/** A guest under emulation on a busy machine, with its command. */
export const guestTimeoutMs = 900_000;

/** Why guests are not tested now; undefined when they are. */
export function whyNoGuests(): string | undefined {
  if (process.env['EXOPOOL_TEST_VM'] !== '1') return 'guests are tested by: ./exopool test --vm';
  if (process.arch !== 'x64') return `guests are for x64; this machine is ${process.arch}`;
  const missing = ['qemu-system-x86_64', 'busybox', 'depmod'].filter((program) => !isInstalled(program));
  return missing.length === 0
    ? undefined
    : `not installed: ${missing.join(', ')}; apt-get install qemu-system-x86 busybox-static kmod`;
}

/** Why the kernel module is not tested in guests; undefined when it is. */
export function whyNoDriver(): string | undefined {
  const reason = whyNoGuests();
  if (reason !== undefined) return reason;
  const missing = ['make', 'clang', 'xz', 'mkfs.xfs', 'mkfs.ext4'].filter((program) => !isInstalled(program));
  return missing.length === 0
    ? undefined
    : `not installed: ${missing.join(', ')}; apt-get install make clang xz-utils xfsprogs e2fsprogs`;
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

export interface GuestResult {
  readonly status: number;
  readonly out: Buffer;
  readonly err: string;
}

/** Runs a shell script in a guest, and gathers what it prints. */
export async function runScript(
  kernel: string,
  script: string,
  options: Partial<GuestOptions> = {},
): Promise<GuestResult> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const status = await runInGuest({
    kernel,
    command: ['sh', '-c', script],
    cwd: process.cwd(),
    environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/root' },
    output: { out: (bytes) => out.push(bytes), err: (bytes) => err.push(bytes) },
    ...options,
  });
  return { status, out: Buffer.concat(out), err: Buffer.concat(err).toString() };
}
