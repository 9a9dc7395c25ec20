/**
 * Which module files a guest needs before it has its root, in the order in which they can be loaded.
 *
 * `modules.dep` has a line for each module, `path: paths that it needs`, with the direct needs after the indirect ones
 * that they need in turn; what is built into the kernel is in `modules.builtin` instead.
 */
import { ExopoolError } from '@exopool/shared';

/** Path of a module file, relative to the folder of the kernel's modules, by the module's name. */
export type ModuleIndex = ReadonlyMap<string, { readonly path: string; readonly needs: readonly string[] }>;

export function parseModulesDep(text: string): ModuleIndex {
  const index = new Map<string, { path: string; needs: string[] }>();
  for (const line of text.split('\n')) {
    const [path = '', needs] = line.split(':');
    if (needs !== undefined) index.set(moduleName(path), { path, needs: needs.split(' ').filter(Boolean) });
  }
  return index;
}

export function parseModulesBuiltin(text: string): ReadonlySet<string> {
  return new Set(text.split('\n').filter(Boolean).map(moduleName));
}

/** @throws `EXOPOOL_NOT_FOUND` for a module that the kernel neither has nor contains */
export function loadOrder(
  index: ModuleIndex,
  builtin: ReadonlySet<string>,
  names: readonly string[],
): string[] {
  const order = new Set<string>();
  const add = (name: string): void => {
    if (builtin.has(name)) return;
    const module = index.get(name);
    if (module === undefined)
      throw new ExopoolError('EXOPOOL_NOT_FOUND', `the kernel has no module "${name}"`);
    if (order.has(module.path)) return;
    for (const need of module.needs) add(moduleName(need));
    order.add(module.path);
  };
  names.forEach(add);
  return [...order];
}

/** Dashes and underscores are the same in a module's name. */
function moduleName(path: string): string {
  return path
    .replace(/^.*\//, '')
    .replace(/\.ko(\..*)?$/, '')
    .replaceAll('-', '_');
}
