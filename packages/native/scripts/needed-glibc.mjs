/** Which glibc a binary needs, and the newest that the package's may need. */
import { execFileSync } from 'node:child_process';

/**
 * The glibc of RHEL 9; Debian 12 and Ubuntu 22.04 have newer ones. A binary built with glibc 2.34 or later needs it for
 * threads. Node 20 itself needs 2.28. The README says the same number.
 */
export const glibcMax = '2.34';

/**
 * @param {string} binary
 * @returns {string} the newest glibc version among its functions, such as `2.34`.
 */
export function neededGlibc(binary) {
  const symbols = execFileSync('objdump', ['-T', binary], { encoding: 'utf8', maxBuffer: 64 << 20 });
  const versions = [...symbols.matchAll(/\(?GLIBC_(\d+(?:\.\d+)+)\)?/g)].map(([, version]) => version);
  return versions.sort(compareVersions).at(-1) ?? '0';
}

/** @param {string} one @param {string} other @returns {number} below zero when `one` is older. */
export function compareVersions(one, other) {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
