/** The mounted file systems, from `/proc/self/mountinfo`. */
import { readFileSync, realpathSync } from 'node:fs';

/** One mounted file system. */
export interface Mount {
  readonly device: string;
  readonly folder: string;
  readonly fileSystem: string;
  /** Options of the mount and of the file system, without repetition. */
  readonly options: readonly string[];
}

/** Lines are `id parent major:minor root folder options [tags ...] - type source options`; see proc(5). */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [front = '', back] = line.split(' - ');
    const [, , device, , folder, own = ''] = front.split(' ');
    const [fileSystem, , common = ''] = back?.split(' ') ?? [];
    if (device === undefined || folder === undefined || fileSystem === undefined) return [];
    const options = [...new Set([...own.split(','), ...common.split(',')])].filter(Boolean);
    return [{ device, folder: unescapeOctal(folder), fileSystem, options }];
  });
}

/** Finds the mount that a path lies in: of those with the longest folder, the last one. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  const holds = ({ folder }: Mount): boolean =>
    path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
  return mounts
    .filter(holds)
    .reduce<Mount | undefined>(
      (best, mount) => (best === undefined || mount.folder.length >= best.folder.length ? mount : best),
      undefined,
    );
}

/** Finds the mount of a path on this machine now. */
export function findMount(path: string): Mount | undefined {
  return mountOf(realpathSync(path), parseMounts(readFileSync('/proc/self/mountinfo', 'utf8')));
}

/** mountinfo escapes blanks and backslashes in names as octal numbers. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
