/** The work of `exopool vm`: finds the kernel, boots a guest, and runs a command in it. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExopoolError, MiB } from '@exopool/shared';
import { cacheFolder } from './cache-folder.js';
import { bootGuest, guestError, type Output } from './guest.js';
import { obtainKernel } from './kernel-cache.js';
import { kvmWorks } from './kvm-probe.js';
import type { NvmeDevice } from './qemu-arguments.js';
import { SlowDisk } from './slow-disk.js';

export interface GuestOptions {
  /** A series such as `6.12`, or a release. */
  readonly kernel: string;
  readonly command: readonly string[];
  /** Folder in which the command runs. Its path is the same on the host and in the guest. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly output: Output;
  readonly cpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
  /** The guest's clock counts instructions: one instruction is one nanosecond. */
  readonly icount?: boolean | undefined;
  /** Size of an empty NVMe device and of its logical blocks. */
  readonly nvmeBytes?: number | undefined;
  readonly nvmeBlockBytes?: 512 | 4096 | undefined;
  /**
   * Milliseconds of the host's time that each read of the NVMe device takes. Without it the device answers in tens of
   * microseconds, often before an emulated processor has put the reader to sleep.
   */
  readonly nvmeReadMs?: number | undefined;
  /** Size of a memory-backed null block device. */
  readonly nullBlockBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((text: string) => void) | undefined;
  /** For tests. */
  readonly cache?: string | undefined;
}

/** Enough for Node.js, its tests and their files: files that a guest writes are in its memory. */
const memoryDefaultBytes = 2048 * MiB;
/** With less the kernel and its root do not fit. */
const memoryMinBytes = 256 * MiB;
/** QEMU's own limit is higher, but no test needs more CPUs, and each costs memory. */
const cpusMax = 64;
/** A failed boot is retried once, since emulation fails at random sometimes. */
const bootsMax = 2;

/**
 * @returns the command's exit status, as in a shell.
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
  let disk: Disk | undefined;
  try {
    disk = await makeDisk(folder, options);
    const nvme = disk?.device;
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
    await disk?.server?.close();
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

interface Disk {
  readonly device: NvmeDevice;
  readonly server?: SlowDisk;
}

/** Makes a sparse file for the NVMe device, and starts its server if reads must be slow. */
async function makeDisk(
  folder: string,
  { nvmeBytes, nvmeBlockBytes: blockBytes = 512, nvmeReadMs: readMs }: GuestOptions,
): Promise<Disk | undefined> {
  if (nvmeBytes === undefined) return undefined;
  const file = join(folder, 'nvme.img');
  const bytes = Math.ceil(nvmeBytes / MiB) * MiB;
  await writeFile(file, '');
  await truncate(file, bytes);
  if (readMs === undefined) return { device: { file, blockBytes } };
  const socket = join(folder, 'nvme.socket');
  const server = await SlowDisk.start({ file, bytes, socket, readMs });
  return { device: { file: `nbd:unix:${socket}`, blockBytes }, server };
}
