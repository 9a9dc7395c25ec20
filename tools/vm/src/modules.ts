/**
 * Finds the module files that a guest needs before it has its root, in loading order.
 *
 * `modules.dep` has one line for each module, `path: dependencies`. Modules that are built into the kernel are in
 * `modules.builtin` instead.
 */
import { ExopoolError } from '@exopool/shared';

/** Paths of module files, relative to the folder of the kernel's modules, by the module's name. */
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

/** @throws `EXOPOOL_NOT_FOUND` for a module that is neither a file nor built into the kernel */
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

/** Dashes and underscores in a module's name are equivalent. */
function moduleName(path: string): string {
  return path
    .replace(/^.*\//, '')
    .replace(/\.ko(\..*)?$/, '')
    .replaceAll('-', '_');
}
