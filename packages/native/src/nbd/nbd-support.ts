/** Whether block devices can be served here: nbdkit is there, and its plugin was built. */
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { bindingPlaces, buildCommand } from '../load-binding.js';

const pluginName = 'exopool-nbd.so';
const packages = 'apt-get install nbdkit nbdkit-plugin-dev libssl-dev';
const buildFix = (): string => `${packages} && ${buildCommand()}`;

export interface NbdPrograms {
  readonly nbdkit: string;
  readonly plugin: string;
}

export type NbdSupport =
  | ({ readonly available: true } & NbdPrograms)
  /** With the line that would enable it. */
  | { readonly available: false; readonly reason: string; readonly fix: string };

/** @param searched folders in which programs are, as in `PATH`. */
export function nbdSupport(searched = process.env['PATH'] ?? ''): NbdSupport {
  const nbdkit = searched
    .split(path.delimiter)
    .map((folder) => path.join(folder, 'nbdkit'))
    .find(isExecutable);
  const plugin = bindingPlaces()
    .map((addon) => path.join(path.dirname(addon), pluginName))
    .find((place) => existsSync(place));
  if (nbdkit === undefined) {
    const fix = plugin === undefined ? buildFix() : 'apt-get install nbdkit';
    return { available: false, reason: 'nbdkit is not installed', fix };
  }
  if (plugin !== undefined) return { available: true, nbdkit, plugin };
  const reason = 'the plugin for nbdkit is not built: a header was missing';
  return { available: false, reason, fix: buildFix() };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
