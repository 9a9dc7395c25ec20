import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs that are neither on the path nor in root's folders. */
export function missingPrograms(programs: readonly string[]): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
}
