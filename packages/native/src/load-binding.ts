/**
 * The one door to native code.
 *
 * The package carries an addon for the common platform, and the BPF objects and nbdkit's plugin lie beside it. Where
 * none fits, one is built on the machine; that one is then there on purpose, so it is taken instead: a prebuilt addon
 * of an older state never answers for a checkout whose own build is newer, or broken. When no place has an addon that
 * loads, the error says what was tried and the one command that builds it. Each facade beside this file declares its
 * own slice of the binding's type.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExopoolError } from '@exopool/shared';

/** The addon's exports, before a facade has given them types. */
export type Binding = Record<string, unknown>;

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const checkoutCommand = './exopool setup';
let loaded: Binding | undefined;

/** Where the addon and the BPF objects beside it may be, in the order in which they are tried. */
export function bindingPlaces(folder = packageFolder): string[] {
  const forced = process.env['EXOPOOL_ADDON'];
  if (forced !== undefined) return [path.resolve(forced)];
  const placeIn = (...words: string[]): string => path.join(folder, ...words, 'exopool.node');
  const built = ['Release', 'Debug']
    .map((form) => placeIn('build', form))
    .filter((place) => existsSync(place));
  return built.length > 0 ? built : [placeIn('prebuilds', `${process.platform}-${process.arch}`)];
}

/** The command that builds the addon from source: for this checkout, or where the package is installed. */
export function buildCommand(folder = packageFolder): string {
  if (existsSync(path.join(folder, 'src'))) return checkoutCommand;
  const place = path.relative('', folder).startsWith('..') ? folder : path.relative('', folder);
  return `npm --prefix ${place.includes(' ') ? JSON.stringify(place) : place} run build-from-source`;
}

/** @param fix a line that the addon gives, which knows of checkouts only. */
export function fixHere(fix: string): string {
  return fix.replaceAll(checkoutCommand, buildCommand());
}

/**
 * Loads the addon, once for each thread.
 * @throws `EXOPOOL_NATIVE` with every place that was tried, and the command that builds it.
 */
export function loadBinding(): Binding {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const failures: string[] = [];
  let cause: unknown;
  for (const place of bindingPlaces()) {
    try {
      loaded = require(place) as Binding;
      return loaded;
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
      failures.push(reason.includes(place) ? reason : `${place}: ${reason}`);
      cause ??= error;
    }
  }
  const message = `cannot load the native addon; build it with: ${buildCommand()} (tried: ${failures.join('; ')})`;
  throw new ExopoolError('EXOPOOL_NATIVE', message, { cause });
}
