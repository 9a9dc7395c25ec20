/** Helpers for tests that boot guests, `*.vm.spec.ts`. They run after all others, since a boot uses a CPU for 10 s. */
import { inject } from 'vitest';
import { runInGuest, type GuestOptions } from '../run-in-guest.js';
import { missingPrograms } from './missing-programs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Reason why guests are not tested; undefined if they are. */
    whyNoGuests: string | undefined;
  }
}

/** Enough for a guest with its command, under emulation on a busy machine. */
export const guestTimeoutMs = 900_000;

/** Reason why guests are not tested; undefined if they are. guests-setup.ts finds it out. */
export function whyNoGuests(): string | undefined {
  return inject('whyNoGuests');
}

/** Reason why the kernel module is not tested in guests; undefined if it is. */
export function whyNoDriver(): string | undefined {
  const reason = whyNoGuests();
  if (reason !== undefined) return reason;
  const missing = missingPrograms(['make', 'clang', 'xz', 'mkfs.xfs', 'mkfs.ext4']);
  return missing.length === 0
    ? undefined
    : `not installed: ${missing.join(', ')}; apt-get install make clang xz-utils xfsprogs e2fsprogs`;
}

export interface GuestResult {
  readonly status: number;
  readonly out: Buffer;
  readonly err: string;
}

/** Runs a shell script in a guest, and collects its output. */
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
