/** Builds the initramfs of a guest: busybox, an init script, and the modules needed to mount the host's root. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import { initScript, quote } from './guest-scripts.js';
import { loadOrder, parseModulesBuiltin, parseModulesDep } from './modules.js';
import { runProgram } from './run-program.js';

/** Modules that a guest needs before it can load more from the host's files: bus, root, overlay, ports, disk. */
const modules = ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p', 'overlay', 'nvme'];
const busybox = '/bin/busybox';
const unpackers: Readonly<Record<string, readonly string[]>> = {
  xz: ['xz', '-dc'],
  zst: ['zstd', '-dc'],
  gz: ['gzip', '-dc'],
};

/**
 * Makes the file unless `folder` has it already. Its name identifies its content.
 * @param modulesFolder the kernel's modules, with `modules.dep`.
 */
export async function ensureInitramfs(modulesFolder: string, folder: string): Promise<string> {
  const read = (name: string): Promise<string> => readFile(join(modulesFolder, name), 'utf8');
  const index = parseModulesDep(await read('modules.dep'));
  const files = loadOrder(index, parseModulesBuiltin(await read('modules.builtin')), modules);
  const init = initScript(files.map(placeOf));
  const target = join(
    folder,
    `initramfs-${createHash('sha256').update(init).digest('hex').slice(0, 16)}.cpio`,
  );
  if (!existsSync(target)) await build(modulesFolder, files, init, target);
  return target;
}

/** The path of a module in the initramfs. */
function placeOf(path: string): string {
  return join('/modules', basename(path).replace(/\.ko\..*$/, '.ko'));
}

async function build(
  modulesFolder: string,
  files: readonly string[],
  init: string,
  target: string,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'exopool-initramfs-'));
  try {
    for (const folder of ['bin', 'dev', 'proc', 'sys', 'modules', 'lower', 'upper', 'new', 'exchange'])
      await mkdir(join(root, folder));
    await copyBusybox(join(root, 'bin', 'busybox'));
    for (const path of files) await unpackModule(join(modulesFolder, path), join(root, placeOf(path)));
    await writeFile(join(root, 'init'), init, { mode: 0o755 });
    const part = `${target}.${process.pid}`;
    await pack(root, part);
    await rename(part, target);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function copyBusybox(target: string): Promise<void> {
  const fix = 'to install it: apt-get install busybox-static';
  const bytes = await readFile(busybox).catch((error: unknown) => {
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', `busybox is not installed; ${fix}`, { cause: error });
  });
  // A dynamic program needs an interpreter, which the initramfs does not have.
  if (bytes.subarray(0, 4096).includes('/ld-linux'))
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', `${busybox} is not the static one; ${fix}`);
  await copyFile(busybox, target);
  await chmod(target, 0o755);
}

async function unpackModule(source: string, target: string): Promise<void> {
  const unpacker = unpackers[/\.ko\.(\w+)$/.exec(source)?.[1] ?? ''];
  if (unpacker === undefined) await copyFile(source, target);
  else await runProgram('sh', ['-c', `${unpacker.join(' ')} ${quote(source)} >${quote(target)}`]);
}

/** busybox contains the archiver. */
async function pack(root: string, target: string): Promise<void> {
  await runProgram('sh', ['-c', `find . | ${busybox} cpio -o -H newc >${quote(target)}`], { cwd: root });
}
