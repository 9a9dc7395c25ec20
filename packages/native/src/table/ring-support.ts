/**
 * Why the kernel refuses an io_uring, and the line that enables it.
 *
 * `io_uring_setup` answers many causes with one number. EPERM comes from a sysctl or from a container's seccomp filter,
 * and many filters answer ENOSYS as an old kernel does.
 */
import { readFileSync } from 'node:fs';
import { constants, release } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** The cause, and its remedy. */
export interface RingRefusal {
  readonly reason: string;
  readonly fix: string;
}

/** What the cause is inferred from. */
export interface RingSituation {
  /** The errno of the attempt to make a ring. */
  readonly error: number;
  /** `kernel.io_uring_disabled`: 0 all, 1 its group and administrators, 2 nobody; undefined before Linux 6.6. */
  readonly disabled: number | undefined;
  /** As `uname -r` prints it. */
  readonly kernel: string;
}

const disabledFile = '/proc/sys/kernel/io_uring_disabled';
/** The first kernel whose io_uring reads into plain buffers. */
const kernelMin = { major: 5, minor: 6 };

const sysctlFix = 'sysctl -w kernel.io_uring_disabled=0';
const seccompFix =
  'allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile (docker run --security-opt seccomp=PROFILE.json)';

/** Infers the cause and its remedy. */
export function explainRingRefusal({ error, disabled, kernel }: RingSituation): RingRefusal {
  const { EPERM, EACCES, ENOSYS, ENOMEM, EMFILE, ENFILE } = constants.errno;
  const isDenied = error === EPERM || error === EACCES;
  if (isDenied && disabled !== undefined && disabled > 0) {
    const whom = disabled === 1 ? 'to this user' : 'to everybody';
    return { reason: `kernel.io_uring_disabled=${disabled} forbids io_uring ${whom}`, fix: sysctlFix };
  }
  if (isDenied || (error === ENOSYS && isRecent(kernel))) {
    return { reason: 'a seccomp filter or security module forbids io_uring_setup', fix: seccompFix };
  }
  if (error === ENOSYS) {
    return {
      reason: `Linux ${kernel} has no io_uring that can read`,
      fix: 'boot Linux 5.6 or later with CONFIG_IO_URING',
    };
  }
  if (error === ENOMEM) {
    return { reason: 'the limit on locked memory leaves no room for a ring', fix: 'ulimit -l unlimited' };
  }
  if (error === EMFILE || error === ENFILE) {
    return { reason: 'too many files are open', fix: 'ulimit -n 65536' };
  }
  return {
    reason: `io_uring_setup fails with ${getSystemErrorName(-error)}`,
    fix: 'boot Linux 5.6 or later with CONFIG_IO_URING',
  };
}

/** The same for this machine now. */
export function ringRefusal(error: number): RingRefusal {
  return explainRingRefusal({ error, disabled: readDisabled(), kernel: release() });
}

function isRecent(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  return major > kernelMin.major || (major === kernelMin.major && minor >= kernelMin.minor);
}

function readDisabled(): number | undefined {
  try {
    return Number.parseInt(readFileSync(disabledFile, 'utf8'), 10);
  } catch {
    return undefined;
  }
}
