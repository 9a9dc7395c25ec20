/** Finds the programs of the system that some commands start. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const programs = [
  { name: 'fio', package: 'fio', use: '`exopool bench` measures the disk with it' },
  { name: 'redis-server', package: 'redis-server', use: '`exopool demo` harvests from it' },
  { name: 'xz', package: 'xz-utils', use: '`exopool store load` unpacks .xz with it' },
  { name: 'qemu-system-x86_64', package: 'qemu-system-x86', use: '`exopool vm` runs guests in it' },
  { name: 'busybox', package: 'busybox-static', use: '`exopool vm` boots guests with it' },
  {
    name: 'nbdkit',
    package: 'nbdkit nbdkit-plugin-dev libssl-dev',
    use: '`exopool consumer --nbd` serves the device with it',
  },
  { name: 'clang', package: 'clang', use: '`exopool traversal build` compiles for the kernel with it' },
  { name: 'sqlite3', package: 'sqlite3', use: '`exopool traversal run` finds tables with it' },
  { name: 'lz4', package: 'lz4', use: '`exopool store load` unpacks .lz4 with it' },
];

export interface FoundProgram {
  readonly name: string;
  readonly group: 'program';
  readonly available: boolean;
  readonly reason: string;
  readonly fix?: string;
}

export function findPrograms(path = process.env['PATH'] ?? ''): FoundProgram[] {
  return programs.map(({ name, package: debianPackage, use }) => {
    const found = path.split(delimiter).find((folder) => isExecutable(join(folder, name)));
    if (found !== undefined) return { name, group: 'program', available: true, reason: join(found, name) };
    const fix = `apt-get install ${debianPackage}`;
    return { name, group: 'program', available: false, reason: `not installed: ${use}`, fix };
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
