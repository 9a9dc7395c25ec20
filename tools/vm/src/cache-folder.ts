/** The folder for kernels and package indexes: outside of the checkout, by the XDG base directory specification. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

export function cacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const base = environment['XDG_CACHE_HOME'] ?? '';
  // The specification says to ignore relative paths.
  return join(isAbsolute(base) ? base : join(homedir(), '.cache'), 'exopool');
}
