/**
 * nbdkit's plugin, `exopool-nbd.so`: nbd/ with the addon's slab client, which does not depend on JavaScript. Skipped,
 * and removed, if nbdkit or a header is missing.
 */
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { findNbdkit, staticRuntimeFlags } from './toolchain.mjs';

const flags = [
  ...['-std=c++17', '-O2', '-g1', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-fvisibility=hidden'],
  // Threads of its own run until the process ends.
  '-Wl,-z,nodelete',
];
const slabClient = /^(slab_client_(session|loop)|slab_(frame|handshake|crypto|ticket)|poller)\.cc$/;
const folders = ['nbd', 'addon', 'include'];

const modifiedMs = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** @param run runs a command in the package's folder, and ends the build when it fails. */
export function buildNbdPlugin(packageFolder, plugin, run) {
  if (findNbdkit() === undefined) return rmSync(plugin, { force: true });
  const filesOf = (folder) =>
    readdirSync(path.join(packageFolder, folder), { recursive: true }).map((name) => `${folder}/${name}`);
  const inputs = folders.flatMap(filesOf).filter((name) => /\.(cc|hh|h)$/.test(name));
  const newest = Math.max(...inputs.map((name) => modifiedMs(path.join(packageFolder, name))));
  if (modifiedMs(plugin) > newest) return;
  const sources = inputs.filter(
    (name) => name.endsWith('.cc') && (name.startsWith('nbd/') || slabClient.test(path.basename(name))),
  );
  const includes = folders.map((folder) => `-I${folder}`);
  const libraries = ['-lcrypto', '-lpthread'];
  run(process.env.CXX ?? 'c++', [
    ...flags,
    ...staticRuntimeFlags(),
    ...includes,
    ...sources,
    '-o',
    `${plugin}.tmp`,
    ...libraries,
  ]);
  renameSync(`${plugin}.tmp`, plugin);
}
