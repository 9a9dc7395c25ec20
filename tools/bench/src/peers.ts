/**
 * Packages that only a benchmark needs. They are optional peers of the published command line, since they are large and
 * some have install scripts, which npm asks about.
 */
import { ExopoolError } from '@exopool/shared';

const plotPackages = ['vega@5.33.0', 'vega-lite@5.23.0'];
const storePackages = [
  '@nxtedition/rocksdb@12.2.12',
  'better-sqlite3@12.11.1',
  'classic-level@3.0.0',
  'lmdb@3.5.6',
];

/** With the versions that are measured. */
export const peerPackages: readonly string[] = [...plotPackages, ...storePackages];

/** @throws `EXOPOOL_UNSUPPORTED` with the line that installs what is missing. */
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
