/** What is mounted where, from `/proc/self/mountinfo`. */
import { readFileSync, realpathSync } from 'node:fs';

export interface Mount {
  readonly device: string;
  readonly folder: string;
  readonly fileSystem: string;
  /** Of the mount and of the file system, without repetition. */
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

/** The mount that a path lies in: the last one of the longest folder. */
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

/** The same for this machine as it is now. */
export function findMount(path: string): Mount | undefined {
  return mountOf(realpathSync(path), parseMounts(readFileSync('/proc/self/mountinfo', 'utf8')));
}

/** Blanks and backslashes in names. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
