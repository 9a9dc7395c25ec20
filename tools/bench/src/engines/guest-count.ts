/**
 * Counts the instructions of lookups in a guest. Boots it once for each file system, with an empty NVMe device, and
 * runs packages/native/measure/lookup_instructions.cc there.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ExopoolError, GiB, MiB } from '@exopool/shared';
import { runInGuest, type GuestOptions } from '@exopool/vm';
import type { FileSystem, GuestPlan } from './guest-plan.js';

/** BPF programs in the ring need Linux 7.1 or later. */
export const ringKernel = '7.2';
const nvmeBytes = 512 * MiB;
/** Memory for tables that are built in memory, beside the guest's own. */
const memoryBytes = 2 * GiB;
/** Longer than any reader needs to fall asleep, even if the emulated processor shares a real one. */
export const nvmeReadMs = 1;
/** Bytes of a program's error output in a message. */
const complaintCharactersMax = 2000;
const nativeFolder = new URL('.', import.meta.resolve('@exopool/native/package.json'));

/** Only in a checkout, not in the published packages. */
const counterScript = 'scripts/measure.mjs';

/** Leaves no background work to the kernel: the journal and the inode tables are written at once. */
const makeFileSystem: Readonly<Record<FileSystem, string>> = {
  ext4: 'mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0',
  xfs: 'mkfs.xfs -q -f',
};

export interface CountOptions {
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** @returns the path of the counting program, which is linked with the addon's objects. */
export async function buildCounter(signal: AbortSignal): Promise<string> {
  if (!existsSync(new URL(counterScript, nativeFolder))) {
    const message =
      'instructions are counted by a program that is built from a checkout of exopool: run this in one';
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', message);
  }
  const paths = await runNode([counterScript], signal);
  const program = paths.split('\n').find((path) => path.endsWith('/lookup_instructions'));
  if (program === undefined) throw new ExopoolError('EXOPOOL_INTERNAL', 'the counting program was not built');
  return program;
}

/** Runs a script of the package `native`. @returns its output. */
async function runNode(words: readonly string[], signal: AbortSignal): Promise<string> {
  return runProgramHere(process.execPath, words, signal);
}

/** @returns its output. @throws ExopoolError `EXOPOOL_UNSUPPORTED` with its error output. */
export async function runProgramHere(
  program: string,
  words: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const child = spawn(program, words, {
    cwd: fileURLToPath(nativeFolder),
    signal,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on(
    'data',
    (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-complaintCharactersMax)),
  );
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status === 0) return out;
  throw new ExopoolError(
    'EXOPOOL_UNSUPPORTED',
    `${[program, ...words].join(' ')} failed: ${complaint.trim()}`,
  );
}

/** The output of the counting program on one file system. @throws ExopoolError if the guest or the program fails. */
export async function countLookups(
  program: string,
  fileSystem: FileSystem,
  plan: GuestPlan,
  options: CountOptions,
): Promise<string> {
  const { depths, chains, windows, hops } = plan;
  const script = `set -e
${makeFileSystem[fileSystem]} /dev/nvme0n1
mkdir -p /mnt/measured
mount -o noatime /dev/nvme0n1 /mnt/measured
exec '${program}' /mnt/measured ${depths.join(',')} ${chains.join(',')} ${windows} ${hops}`;
  return runCounting({ kernel: ringKernel, command: ['bash', '-c', script], environment: {} }, options);
}

export interface Counting {
  readonly kernel: string;
  readonly command: readonly string[];
  /** Environment variables besides PATH. */
  readonly environment: Readonly<Record<string, string>>;
  readonly hardware?: Hardware | undefined;
}

/** Whether the clock counts instructions, and the device to measure. */
export type Hardware = Pick<
  GuestOptions,
  'icount' | 'nvmeBytes' | 'nvmeReadMs' | 'nullBlockBytes' | 'memoryBytes'
>;

const slowDisk: Hardware = { icount: true, nvmeBytes, nvmeReadMs };

/** Runs a program in a guest, and reports each line at once. @returns its standard output. */
export async function runCounting(
  { kernel, command, environment, hardware = slowDisk }: Counting,
  { signal, say }: CountOptions,
): Promise<string> {
  const lines = new PassThrough();
  const printed: string[] = [];
  const reading = (async () => {
    for await (const line of createInterface({ input: lines })) {
      printed.push(line);
      say(line);
    }
  })();
  let complaint = '';
  const status = await runInGuest({
    kernel,
    command,
    cwd: process.cwd(),
    environment: {
      PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      ...environment,
    },
    output: {
      out: (bytes) => void lines.write(bytes),
      err: (bytes) => (complaint = (complaint + bytes.toString()).slice(-complaintCharactersMax)),
    },
    memoryBytes,
    ...hardware,
    signal,
    progress: say,
  }).finally(() => lines.end());
  await reading;
  if (status === 0) return `${printed.join('\n')}\n`;
  throw new ExopoolError(
    'EXOPOOL_GUEST',
    `measuring in the guest failed with status ${status}: ${complaint.trim()}`,
  );
}
