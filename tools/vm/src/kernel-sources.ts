/**
 * Fetches the files that a module's build needs for a kernel of the Debian archive: the headers, the programs of the
 * build, and the source of the NVMe driver. They stay in the cache, `sources/LAYOUT/RELEASE/`; nothing is installed.
 *
 *   linux-headers-RELEASE, -common     usr/src/linux-headers-*   with a vmlinux that has types only
 *   linux-kbuild-*, pahole, libraries  usr/lib, usr/bin          run with the C library of their own release
 *   linux-source-SERIES                nvme/drivers/nvme/host    only this part is kept
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import type { Stanza } from './control-file.js';
import { DebianArchive } from './debian-archive.js';
import { wrapPrograms } from './foreign-programs.js';
import { quote } from './guest-scripts.js';
import type { ObtainOptions } from './kernel-cache.js';
import { dependencyNames, packageClosure } from './package-closure.js';
import { runProgram } from './run-program.js';

/** Version of the folder's layout. If it changes, the folders are made anew. */
const layout = 'v1';
const driverPath = 'drivers/nvme/host';

export interface KernelSources {
  /** Folders: the headers, the programs for PATH, and a kernel tree with only the NVMe driver. */
  readonly headers: string;
  readonly programs: string;
  readonly driverSource: string;
}

/**
 * @param release the output of `uname -r`.
 * @throws `EXOPOOL_NOT_FOUND` if the archive has no headers or no source for the release, `EXOPOOL_IO`,
 * `EXOPOOL_UNSUPPORTED`, `EXOPOOL_ABORTED`
 */
export async function obtainKernelSources(
  cache: string,
  release: string,
  { signal, progress }: ObtainOptions = {},
): Promise<KernelSources> {
  const parent = join(cache, 'sources', layout);
  const place = join(parent, release);
  if (!existsSync(place)) {
    progress?.(`fetching headers and driver source of Linux ${release} from the Debian archive`);
    await mkdir(join(cache, 'apt'), { recursive: true });
    await mkdir(parent, { recursive: true });
    const archive = new DebianArchive(join(cache, 'apt'), signal);
    await archive.update();
    await install(archive, release, place, signal);
  }
  return {
    headers: join(place, 'usr/src', `linux-headers-${release}`),
    programs: join(place, 'usr/bin'),
    driverSource: join(place, 'nvme'),
  };
}

async function install(
  archive: DebianArchive,
  release: string,
  place: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const folder = await mkdtemp(join(place, '..', '.new-'));
  try {
    const version = await unpackHeaders(archive, release, folder);
    await relocateHeaders(folder, release, place);
    await wrapPrograms(folder, ['usr/bin', 'usr/lib'], place);
    await unpackDriver(archive, release, version, folder, signal);
    // Another process may have made the same folder first. Use that one.
    await rename(folder, place).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns the version of the kernel's packages. */
async function unpackHeaders(archive: DebianArchive, release: string, folder: string): Promise<string> {
  const name = `linux-headers-${release}`;
  const headers = (await archive.showAll([name])).at(0);
  if (headers === undefined)
    throw new ExopoolError('EXOPOOL_NOT_FOUND', `the archive has no package ${name}`);
  const version = field(headers, 'Version');
  const depends = dependencyNames(field(headers, 'Depends'));
  const common = depends.filter((dependency) => /^linux-headers-.*-common$/.test(dependency));
  const kbuild = depends.filter((dependency) => dependency.startsWith('linux-kbuild-'));
  const programs = await packageClosure(
    [...kbuild, 'pahole'],
    (names) => archive.showAll(names),
    (dependency) => /^(lib|zlib|pahole)/.test(dependency),
  );
  const sameVersion = [name, ...common].map((part) => ({ name: part, version }));
  await archive.unpack([...sameVersion, ...programs], folder);
  return version;
}

/** The headers refer to one another by their installed paths. */
async function relocateHeaders(folder: string, release: string, place: string): Promise<void> {
  const makefile = join(folder, 'usr/src', `linux-headers-${release}`, 'Makefile');
  const text = await readFile(makefile, 'utf8');
  await writeFile(
    makefile,
    text.replaceAll('/usr/src/', () => `${join(place, 'usr/src')}/`),
  );
}

async function unpackDriver(
  archive: DebianArchive,
  release: string,
  version: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const series = /^\d+\.\d+/.exec(release)?.[0] ?? release;
  const name = `linux-source-${series}`;
  const download = join(folder, 'download');
  await mkdir(download);
  await archive.download([{ name, version }], download);
  await mkdir(join(folder, 'nvme'));
  const [file] = await readdir(download);
  const steps = [
    `dpkg-deb --fsys-tarfile ${quote(join(download, file!))}`,
    `tar -xOf - ./usr/src/${name}.tar.xz`,
    'xz -dc',
    `tar -xf - -C ${quote(join(folder, 'nvme'))} --strip-components=1 --wildcards ${quote(`*/${driverPath}/*`)}`,
  ];
  await runProgram('bash', ['-c', `set -o pipefail; ${steps.join(' | ')}`], { signal });
  await rm(download, { recursive: true });
}

function field(stanza: Stanza, name: string): string {
  return stanza.get(name) ?? '';
}
