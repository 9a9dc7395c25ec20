/**
 * Makes programs of another Debian release run with the libraries of that release. Each program is renamed, and a
 * script in its place starts it with its own dynamic linker. This needs neither a container nor root.
 *
 *   usr/bin/pahole      #!/bin/sh: usr/lib64/ld-linux-x86-64.so.2 --library-path ... pahole.elf "$@"
 *   usr/bin/pahole.elf  the program of the package
 */
import { chmod, open, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { quote } from './guest-scripts.js';

const linker = 'usr/lib64/ld-linux-x86-64.so.2';
const libraries = 'usr/lib/x86_64-linux-gnu';
/** An ELF file names its dynamic linker near its start, if it has one. */
const interpreter = '/ld-linux-x86-64.so.2';
const headBytes = 4096;

/**
 * @param root folder with the unpacked packages.
 * @param place the path of `root` when the programs run.
 */
export async function wrapPrograms(root: string, folders: readonly string[], place: string): Promise<void> {
  for (const folder of folders)
    for (const entry of await readdir(join(root, folder), { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name);
      if (entry.isFile() && (await needsLinker(file))) await wrap(file, place);
    }
}

/** A program that is linked dynamically: a library or an object file names no linker. */
async function needsLinker(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const head = buffer.subarray(0, bytesRead);
    return head.subarray(0, 4).equals(Buffer.from('\x7fELF')) && head.includes(interpreter);
  } finally {
    await file.close();
  }
}

/** The script keeps the name as argv[0], since some programs choose their function by it. */
async function wrap(path: string, place: string): Promise<void> {
  await rename(path, `${path}.elf`);
  const words = [quote(join(place, linker)), '--library-path', quote(join(place, libraries))];
  await writeFile(path, `#!/bin/sh\nexec ${words.join(' ')} --argv0 "$0" "$0.elf" "$@"\n`);
  await chmod(path, 0o755);
}
