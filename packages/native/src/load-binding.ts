/**
 * The one door to native code.
 *
 * The addon is built on the machine it runs on, so it may be missing, or built for another Node. This loader tries
 * each place where it may be and, when all fail, says what it tried and how to build it. Each facade beside this
 * file declares its own slice of the binding's type.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExopoolError } from '@exopool/shared';

/** The addon's exports, before a facade has given them types. */
export type Binding = Record<string, unknown>;

const buildFolder = fileURLToPath(new URL('../build/', import.meta.url));
let loaded: Binding | undefined;

/** Where the addon and the BPF objects beside it may be, in the order in which they are tried. */
export function bindingPlaces(): string[] {
  const places = ['Release', 'Debug'].map((form) => path.join(buildFolder, form, 'exopool.node'));
  const forced = process.env['EXOPOOL_ADDON'];
  return forced === undefined ? places : [path.resolve(forced)];
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
  const message = `cannot load the native addon; build it with: ./exopool setup (tried: ${failures.join('; ')})`;
  throw new ExopoolError('EXOPOOL_NATIVE', message, { cause });
}
