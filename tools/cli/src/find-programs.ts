/** Programs of the system that some features start. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const programs = [
  { name: 'fio', package: 'fio', use: 'bench measures the disk with it' },
  { name: 'redis-server', package: 'redis-server', use: 'the demo harvests beside it' },
  { name: 'xz', package: 'xz-utils', use: 'store load unpacks .xz' },
  { name: 'qemu-system-x86_64', package: 'qemu-system-x86', use: 'vm runs commands under other kernels' },
  { name: 'busybox', package: 'busybox-static', use: 'vm boots with it' },
  { name: 'nbdkit', package: 'nbdkit nbdkit-plugin-dev libssl-dev', use: 'consumer --nbd speaks NBD by it' },
  { name: 'clang', package: 'clang', use: 'traversal build makes programs for the kernel with it' },
  { name: 'sqlite3', package: 'sqlite3', use: 'traversal run finds tables of a database with it' },
  { name: 'lz4', package: 'lz4', use: 'store load unpacks .lz4' },
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
