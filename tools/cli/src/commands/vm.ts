/** `exopool vm`: runs a command under another kernel, with this machine's files. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { ExopoolError, parseBytes } from '@exopool/shared';
import { runInGuest } from '@exopool/vm';
import { withShutdown } from '../shutdown.js';

interface VmOptions {
  readonly icount?: true;
  readonly cpus?: number;
  readonly memory?: number;
  readonly nvme?: number;
  readonly nvmeBlock?: '512' | '4096';
  readonly nvmeReadMs?: number;
  readonly nullblk?: number;
}

/** Variables that are passed on to the guest. */
const passedOn = /^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TERM|TMPDIR|CI|NX_\w+|EXOPOOL_\w+)$/;

export function defineVm(command: Command): void {
  command
    .argument('<kernel>', 'series such as 6.1, 6.12 or 7.2 (its newest release), or one release')
    .argument('<command...>', 'command and arguments, after --')
    .option(
      '--icount',
      'make each instruction take one nanosecond of guest time (software emulation, one CPU)',
    )
    .option('--cpus <number>', 'CPUs of the guest, default 1', wholeNumber)
    .option('--memory <size>', 'memory of the guest, default 2G', size)
    .option('--nvme <size>', 'add an empty NVMe device of this size, /dev/nvme0n1', size)
    .addOption(new Option('--nvme-block <bytes>', 'size of its logical blocks').choices(['512', '4096']))
    .option('--nvme-read-ms <number>', 'duration of each of its reads, in milliseconds', wholeNumber)
    .option('--nullblk <size>', 'add a null block device of this size, /dev/nullb0', size)
    .addHelpText(
      'after',
      `
The kernel's packages come from this machine's apt mirror. They are kept in ~/.cache/exopool (or XDG_CACHE_HOME) and not
installed. The guest sees this machine's files. Its writes stay in its memory and are lost when it ends. It has no
network, and its standard input is empty. Output and exit status are those of the command. With KVM a guest is about
20 times faster for JavaScript than with software emulation. It needs qemu-system-x86, busybox-static and kmod, but
not root.

Examples:
  exopool vm 6.12 -- uname -r
  exopool vm --nvme 1G 7.2 -- sh -c 'mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt && df /mnt'
  exopool vm 7.2 -- ./exopool doctor`,
    )
    .action(async (kernel: string, command: string[], options: VmOptions) => {
      process.exitCode = await withShutdown((signal) =>
        runInGuest(guestOptions(kernel, command, options, signal)),
      );
    });
}

function guestOptions(
  kernel: string,
  command: readonly string[],
  options: VmOptions,
  signal: AbortSignal,
): Parameters<typeof runInGuest>[0] {
  return {
    kernel,
    command,
    cwd: process.cwd(),
    environment: environment(),
    output: {
      out: (bytes) => void process.stdout.write(bytes),
      err: (bytes) => void process.stderr.write(bytes),
    },
    icount: options.icount,
    cpus: options.cpus,
    memoryBytes: options.memory,
    nvmeBytes: options.nvme,
    nvmeBlockBytes: options.nvmeBlock === '4096' ? 4096 : 512,
    nvmeReadMs: options.nvmeReadMs,
    nullBlockBytes: options.nullblk,
    signal,
    progress: (text) => void process.stderr.write(`exopool: ${text}\n`),
  };
}

function environment(): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env))
    if (value !== undefined && passedOn.test(name)) passed[name] = value;
  return passed;
}

function size(text: string): number {
  try {
    return parseBytes(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof ExopoolError ? error.message : String(error));
  }
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  return Number(text);
}
