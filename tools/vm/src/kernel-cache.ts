/**
 * A cache of kernels unpacked from Debian packages: `kernels/RELEASE/` has the package's files, the index of its
 * modules and the initramfs that boots it. A kernel gets this folder name only when it is complete.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import { compareDebianVersions } from './debian-version.js';
import { DebianArchive } from './debian-archive.js';
import { ensureInitramfs } from './initramfs.js';
import { chooseKernel, isOfSeries, releaseOf, type KernelChoice } from './kernel-choice.js';
import { runProgram } from './run-program.js';

/** Version of the folder's layout. If it changes, older folders are made anew. */
const layout = 'v1';

export interface Kernel {
  readonly release: string;
  /** Paths of files. */
  readonly image: string;
  readonly initramfs: string;
  readonly modulesFolder: string;
}

export interface ObtainOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with a short text before each slow step. */
  readonly progress?: ((text: string) => void) | undefined;
}

/**
 * The newest kernel of a series such as `6.12`, downloaded if needed. Without a connection: the newest in the cache.
 * @throws `EXOPOOL_NOT_FOUND`, `EXOPOOL_UNSUPPORTED`, `EXOPOOL_IO`, `EXOPOOL_ABORTED`
 */
export async function obtainKernel(
  cache: string,
  wanted: string,
  { signal, progress }: ObtainOptions = {},
): Promise<Kernel> {
  if (process.arch !== 'x64')
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', `guests are for x64; this machine is ${process.arch}`);
  const kernels = join(cache, 'kernels', layout);
  await mkdir(join(cache, 'apt'), { recursive: true });
  await mkdir(kernels, { recursive: true });
  const archive = new DebianArchive(join(cache, 'apt'), signal);
  let choice: KernelChoice;
  try {
    await archive.update();
    choice = chooseKernel(
      await archive.show('linux-image-', (name) => releaseOf(name) !== undefined),
      wanted,
    );
  } catch (error) {
    const cached = newestCached(await readdir(kernels), wanted);
    if (cached === undefined || signal?.aborted === true) throw error;
    progress?.(`the archive cannot be asked; going on with ${cached} from the cache`);
    return await describe(kernels, cached);
  }
  if (!existsSync(join(kernels, choice.release))) await install(archive, kernels, choice, progress);
  return describe(kernels, choice.release);
}

/** The newest release in the cache that is the wanted one or belongs to the wanted series. */
export function newestCached(releases: readonly string[], wanted: string): string | undefined {
  return releases
    .filter((release) => release === wanted || isOfSeries(release, wanted))
    .sort(compareDebianVersions)
    .at(-1);
}

async function install(
  archive: DebianArchive,
  kernels: string,
  choice: KernelChoice,
  progress: ObtainOptions['progress'],
): Promise<void> {
  progress?.(`fetching Linux ${choice.release} from the Debian archive`);
  const folder = await mkdtemp(join(kernels, '.new-'));
  try {
    await archive.unpack(choice.packages, folder);
    // Debian's packages use /lib or /usr/lib. depmod reads /lib, which links to /usr/lib here.
    if (!existsSync(join(folder, 'lib'))) await symlink('usr/lib', join(folder, 'lib'));
    await runProgram('depmod', ['--basedir', folder, choice.release], { debianPackage: 'kmod' });
    // Another process may have made the same folder first. Use that one.
    await rename(folder, join(kernels, choice.release)).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function describe(kernels: string, release: string): Promise<Kernel> {
  const folder = join(kernels, release);
  const modulesFolder = join(folder, 'lib', 'modules', release);
  const images = [join(folder, 'boot', `vmlinuz-${release}`), join(modulesFolder, 'vmlinuz')];
  const image = images.find((path) => existsSync(path));
  if (image === undefined)
    throw new ExopoolError(
      'EXOPOOL_NOT_FOUND',
      `${folder} has no kernel image; remove the folder, and try again`,
    );
  return { release, image, modulesFolder, initramfs: await ensureInitramfs(modulesFolder, folder) };
}
