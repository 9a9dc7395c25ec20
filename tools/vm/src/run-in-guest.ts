/** `exopool vm`: a command under another kernel, from the package's name to the exit status. */
import { constants } from 'node:fs';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExopoolError, MiB } from '@exopool/shared';
import { cacheFolder } from './cache-folder.js';
import { bootGuest, guestError, type Output } from './guest.js';
import { obtainKernel } from './kernel-cache.js';
import { kvmWorks } from './kvm-probe.js';
import type { Disk } from './qemu-arguments.js';

export interface GuestOptions {
  /** A series such as `6.12`, or a release. */
  readonly kernel: string;
  readonly command: readonly string[];
  /** Folder in which the command runs; the same on the host and in the guest. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly output: Output;
  readonly cpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
  /** Count instructions: one is one nanosecond of the guest's time. */
  readonly icount?: boolean | undefined;
  /** Size of an empty NVMe device, and of its logical blocks. */
  readonly nvmeBytes?: number | undefined;
  readonly nvmeBlockBytes?: 512 | 4096 | undefined;
  /** Size of a memory-backed null block device. */
  readonly nullBlockBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((text: string) => void) | undefined;
  /** For tests. */
  readonly cache?: string | undefined;
}

/** Enough for Node, its tests and what they write: the guest's files are in its memory. */
const memoryDefaultBytes = 2048 * MiB;
/** Under this the kernel and its root do not fit. */
const memoryMinBytes = 256 * MiB;
/** QEMU's own limit is higher, but no test wants more, and each costs memory. */
const cpusMax = 64;
/** A boot that fails is tried once more: emulation has been seen to fail at random. */
const bootsMax = 2;

/**
 * @returns the command's exit status, as a shell reports it.
 * @throws `EXOPOOL_INVALID`, `EXOPOOL_NOT_FOUND`, `EXOPOOL_UNSUPPORTED`, `EXOPOOL_GUEST`, `EXOPOOL_ABORTED`
 */
export async function runInGuest(options: GuestOptions): Promise<number> {
  const { icount = false, signal, progress, cwd, environment, command, cpus = 1 } = options;
  const memoryBytes = options.memoryBytes ?? memoryDefaultBytes;
  requireSane(cpus, memoryBytes, icount, command);
  const cache = options.cache ?? cacheFolder();
  const kernel = await obtainKernel(cache, options.kernel, { signal, progress });
  const accelerator = !icount && (await kvmWorks(cache, kernel, signal)) ? 'kvm' : 'tcg';
  const folder = await mkdtemp(join(tmpdir(), 'exopool-vm-'));
  try {
    const nvme = await makeDisk(folder, options);
    const memoryMiB = Math.ceil(memoryBytes / MiB);
    const hardware = { accelerator, cpus, memoryMiB, countInstructions: icount, nvme } as const;
    const nullBlockMiB =
      options.nullBlockBytes === undefined ? undefined : Math.ceil(options.nullBlockBytes / MiB);
    const run = { command, cwd, environment, nullBlockMiB };
    for (let boot = 1; ; boot += 1) {
      const outcome = await bootGuest(kernel, folder, hardware, run, options.output, signal);
      if (outcome.kind === 'exited') return outcome.status;
      if (outcome.started || boot === bootsMax) {
        options.output.err(Buffer.from(`${outcome.log}\n`));
        throw guestError(outcome);
      }
      progress?.(`${outcome.reason}; once more`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function requireSane(cpus: number, memoryBytes: number, icount: boolean, command: readonly string[]): void {
  const fail = (message: string): never => {
    throw new ExopoolError('EXOPOOL_INVALID', message);
  };
  if (command.length === 0) fail('there is no command to run in the guest');
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > cpusMax)
    fail(`cpus must be 1 to ${cpusMax}, not ${cpus}`);
  if (icount && cpus !== 1) fail('instructions are counted on one CPU: leave out --cpus');
  if (memoryBytes < memoryMinBytes) fail(`memory must be at least ${memoryMinBytes / MiB} MiB`);
}

/** A file that takes space only where something is written. */
async function makeDisk(
  folder: string,
  { nvmeBytes, nvmeBlockBytes = 512, icount = false }: GuestOptions,
): Promise<Disk | undefined> {
  if (nvmeBytes === undefined) return undefined;
  const file = join(folder, 'nvme.img');
  await writeFile(file, '');
  await truncate(file, Math.ceil(nvmeBytes / MiB) * MiB);
  // Out of the page cache, answers come before a reader has gone to sleep, which no disk does: too few instructions.
  return { file, blockBytes: nvmeBlockBytes, direct: icount && (await canReadDirectly(file)) };
}

/** Not on every file system. */
async function canReadDirectly(path: string): Promise<boolean> {
  const file = await open(path, constants.O_RDONLY | constants.O_DIRECT).catch(() => undefined);
  await file?.close();
  return file !== undefined;
}
