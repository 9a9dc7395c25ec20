/** For tests that boot guests, `*.vm.spec.ts`: run after all others, since each boot keeps a CPU busy for some ten seconds. */
import { inject } from 'vitest';
import { runInGuest, type GuestOptions } from '../run-in-guest.js';
import { missingPrograms } from './missing-programs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Undefined: they are tested. */
    whyNoGuests: string | undefined;
  }
}

/** A guest under emulation on a busy machine, with its command. */
export const guestTimeoutMs = 900_000;

/** Why guests are not tested now; undefined when they are. Found out by guests-setup.ts. */
export function whyNoGuests(): string | undefined {
  return inject('whyNoGuests');
}

/** Why the kernel module is not tested in guests; undefined when it is. */
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
