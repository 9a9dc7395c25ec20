/**
 * Collects in one folder all that a guest needs to check and measure exopool.ko: the module and the NVMe driver with
 * the hook, built for the guest's kernel, the programs that check and measure, and the BPF programs that they load.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExopoolError } from '@exopool/shared';
import { cacheFolder } from './cache-folder.js';
import { obtainKernel, type ObtainOptions } from './kernel-cache.js';
import { obtainKernelSources } from './kernel-sources.js';
import { runProgram } from './run-program.js';

const native = fileURLToPath(new URL('../../../packages/native', import.meta.url));
/** Only in a checkout, not in the published packages. */
const guestPrograms = 'kernel/kmod/guest';
const modules = ['exopool.ko', 'nvme.ko'];
/** Sources and build scripts of the modules. */
const inputs = [
  'kernel/kmod',
  'include/driver_abi.h',
  'scripts/build-kmod.mjs',
  'scripts/nvme-hook-edit.mjs',
];

export interface DriverKitOptions extends ObtainOptions {
  /** For tests. */
  readonly cache?: string | undefined;
}

export interface DriverKit {
  /** The kernel to boot. */
  readonly release: string;
  /** The folder of the kit. */
  readonly folder: string;
  /** Environment variables for the programs: the path of a newer libbpf, if the machine's own is too old. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Makes the kit in `folder`. Modules are built once for each kernel and state of their sources, and kept in the cache.
 * @param kernel a series such as `6.12`, or a release.
 * @throws `EXOPOOL_NOT_FOUND`, `EXOPOOL_UNSUPPORTED` (also outside a checkout), `EXOPOOL_IO` (with the output of the
 *   build), `EXOPOOL_ABORTED`
 */
export async function prepareDriver(
  kernel: string,
  folder: string,
  { signal, progress, cache = cacheFolder() }: DriverKitOptions = {},
): Promise<DriverKit> {
  if (!existsSync(join(native, guestPrograms))) {
    const message = 'the driver is built for guests from a checkout of exopool: run this in one';
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', message);
  }
  const { release } = await obtainKernel(cache, kernel, { signal, progress });
  const built = await buildModules(cache, release, { signal, progress });
  await mkdir(folder, { recursive: true });
  for (const name of modules) await copyFile(join(built, name), join(folder, name));
  progress?.('building the programs for the guest');
  await script('build-guest-checks.mjs', [folder], signal);
  const libbpf = join(native, '../../.exopool/libbpf/libbpf.so.1');
  return { release, folder, environment: existsSync(libbpf) ? { EXOPOOL_LIBBPF: libbpf } : {} };
}

/** A measurement in a guest by a program of packages/native/kernel/kmod/guest. */
export interface DriverMeasurement {
  readonly program: 'instructions' | 'wall_time' | 'fairness';
  /** An empty device of 1 GiB or more. */
  readonly device: '/dev/nvme0n1' | '/dev/nullb0';
  readonly fileSystem: 'ext4' | 'xfs';
  /** Arguments of the program. */
  readonly words: readonly string[];
}

/** The command to run in a guest that has the device. */
export function measureCommand(kit: DriverKit, measurement: DriverMeasurement): string[] {
  const { program, device, fileSystem, words } = measurement;
  return [
    'bash',
    join(native, guestPrograms, 'measure.sh'),
    kit.folder,
    program,
    device,
    fileSystem,
    ...words,
  ];
}

async function buildModules(cache: string, release: string, options: ObtainOptions): Promise<string> {
  const parent = join(cache, 'driver');
  const built = join(parent, `${release}-${await hashOfInputs()}`);
  if (existsSync(built)) return built;
  const { headers, programs, driverSource } = await obtainKernelSources(cache, release, options);
  options.progress?.(`building exopool.ko and nvme.ko for Linux ${release}`);
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, '.new-'));
  try {
    const sources = ['--headers', headers, '--programs', programs, '--driver-source', driverSource];
    await script('build-kmod.mjs', [folder, ...sources], options.signal);
    for (const name of await readdir(parent))
      if (name.startsWith(`${release}-`)) await rm(join(parent, name), { recursive: true, force: true });
    await rename(folder, built);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return built;
}

async function hashOfInputs(): Promise<string> {
  const hash = createHash('sha256');
  for (const input of inputs) {
    const files = input.includes('.')
      ? [input]
      : (await readdir(join(native, input))).filter((name) => /\.[ch]$|^Kbuild$/.test(name)).sort();
    for (const file of files) {
      const path = input === file ? file : join(input, file);
      hash.update(`${path}\0`).update(await readFile(join(native, path)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function script(
  name: string,
  words: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  await runProgram(process.execPath, [join(native, 'scripts', name), ...words], { signal });
}
