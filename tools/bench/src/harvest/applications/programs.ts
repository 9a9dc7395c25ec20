/** Finds the servers to harvest from at their paths in Debian. */
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ExopoolError } from '@exopool/shared';

const postgresqlFolder = '/usr/lib/postgresql';

/** The program's path; `undefined` if it is not installed. */
export function findProgram(name: string): string | undefined {
  const versions = existsSync(postgresqlFolder) ? readdirSync(postgresqlFolder).sort().reverse() : [];
  return [
    ...versions.map((version) => join(postgresqlFolder, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
  ]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** @throws ExopoolError `EXOPOOL_NOT_FOUND`; the message has the command that installs it. */
export function needProgram(name: string, aptPackage: string): string {
  const path = findProgram(name);
  if (path !== undefined) return path;
  throw new ExopoolError(
    'EXOPOOL_NOT_FOUND',
    `${name} is not installed: apt-get install -y --no-install-recommends ${aptPackage}`,
  );
}
