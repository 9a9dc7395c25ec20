/** The transitive dependencies of Debian packages. */
import type { Stanza } from './control-file.js';
import { compareDebianVersions } from './debian-version.js';
import type { KernelPackage } from './kernel-choice.js';

/** Guards against a wrong index. The programs here need about twenty packages. */
const packagesMax = 200;

/** Names in a `Depends` field; the first one of alternatives. */
export function dependencyNames(depends: string): string[] {
  return depends
    .split(',')
    .map((dependency) => dependency.trim().split(/[ (|:]/)[0]!)
    .filter((name) => name !== '');
}

/**
 * The newest version of `names` and of all packages that they need, as far as `wanted` accepts them.
 * @param show returns the stanzas of packages, in all of their versions.
 */
export async function packageClosure(
  names: readonly string[],
  show: (names: readonly string[]) => Promise<readonly Stanza[]>,
  wanted: (name: string) => boolean,
): Promise<KernelPackage[]> {
  const found = new Map<string, KernelPackage>();
  const asked = new Set<string>();
  for (let next = names; next.length > 0 && asked.size < packagesMax;) {
    next.forEach((name) => asked.add(name));
    const newest = newestOfEach(await show(next));
    for (const [name, stanza] of newest) found.set(name, { name, version: stanza.get('Version') ?? '' });
    const needed = [...newest.values()].flatMap((stanza) => [
      ...dependencyNames(stanza.get('Depends') ?? ''),
      ...dependencyNames(stanza.get('Pre-Depends') ?? ''),
    ]);
    next = [...new Set(needed)].filter((name) => wanted(name) && !asked.has(name));
  }
  return [...found.values()];
}

function newestOfEach(stanzas: readonly Stanza[]): Map<string, Stanza> {
  const newest = new Map<string, Stanza>();
  for (const stanza of stanzas) {
    const name = stanza.get('Package') ?? '';
    const known = newest.get(name)?.get('Version');
    if (known === undefined || compareDebianVersions(known, stanza.get('Version') ?? '') < 0)
      newest.set(name, stanza);
  }
  return newest;
}
