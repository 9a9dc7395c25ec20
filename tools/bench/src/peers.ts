/**
 * Packages that only benchmarks need. They are optional peer dependencies of the published command line, since they are
 * large, and npm asks about the install scripts of some.
 */
import { ExopoolError } from '@exopool/shared';

const plotPackages = ['vega@5.33.0', 'vega-lite@5.23.0'];
const storePackages = [
  '@nxtedition/rocksdb@12.2.12',
  'better-sqlite3@12.11.1',
  'classic-level@3.0.0',
  'lmdb@3.5.6',
];

/** Packages with the versions to measure. */
export const peerPackages: readonly string[] = [...plotPackages, ...storePackages];

/** @throws `EXOPOOL_UNSUPPORTED`; the message has the command that installs missing packages. */
export function needPeers({ stores }: { readonly stores: boolean }): void {
  const needed = stores ? peerPackages : plotPackages;
  const missing = needed.filter((peer) => !isInstalled(peer.slice(0, peer.lastIndexOf('@'))));
  if (missing.length === 0) return;
  const message = `packages that this measurement needs are not installed; to install: npm install ${missing.join(' ')}`;
  throw new ExopoolError('EXOPOOL_UNSUPPORTED', message);
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}
