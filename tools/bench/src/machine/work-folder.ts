/**
 * The folder for the data of a run: a temporary one, or one that stays for the next run.
 *
 *   <base>/exopool-bench-<pid>-<ticks>/      removed at the end; by a later run when this one was killed
 *   <base>/exopool-bench-kept/               with --keep
 *     lmdb-tuned/  lmdb-tuned.loaded         the second records how it was loaded; removed when updates change the data
 */
import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createStateFolder, removeDeadFolders, stateBase } from '@exopool/demo/state-folder';
import { ExopoolError, formatBytes, toExopoolError } from '@exopool/shared';

export interface WorkFolderOptions {
  readonly base: string | undefined;
  readonly keep: boolean;
  readonly bytesNeeded: number;
}

const tool = 'bench';
const keptName = 'exopool-bench-kept';

export class WorkFolder {
  private constructor(
    readonly path: string,
    readonly isKept: boolean,
  ) {}

  /** @throws ExopoolError `EXOPOOL_NO_SPACE`, `EXOPOOL_PERMISSION`, `EXOPOOL_NOT_FOUND`. */
  static async open({ base, keep, bytesNeeded }: WorkFolderOptions): Promise<WorkFolder> {
    const place = resolve(base ?? (await stateBase()));
    await removeDeadFolders(place, tool);
    const kept = join(place, keptName);
    await checkSpace(place, bytesNeeded);
    if (!keep) return new WorkFolder(await createStateFolder(place, tool), false);
    await mkdir(kept, { recursive: true }).catch((error: unknown) => {
      throw toExopoolError(error, `cannot make the folder ${kept}`);
    });
    return new WorkFolder(kept, true);
  }

  of(name: string): string {
    return join(this.path, name.replaceAll(' ', '-'));
  }

  /** Whether an earlier run loaded the data in the way `how`, and nothing has changed it since. */
  async isLoaded(name: string, how: string): Promise<boolean> {
    const text = await readFile(this.#marker(name), 'utf8').catch(() => undefined);
    return text === how;
  }

  async markLoaded(name: string, how: string): Promise<void> {
    await writeFile(this.#marker(name), how);
  }

  async markChanged(name: string): Promise<void> {
    await rm(this.#marker(name), { force: true });
  }

  async clear(name: string): Promise<void> {
    await this.markChanged(name);
    await rm(this.of(name), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    if (!this.isKept) await rm(this.path, { recursive: true, force: true });
  }

  #marker(name: string): string {
    return `${this.of(name)}.loaded`;
  }
}

async function checkSpace(place: string, bytesNeeded: number): Promise<void> {
  const { bavail, bsize } = await statfs(place).catch((error: unknown) => {
    throw toExopoolError(error, `cannot use the folder ${place}`);
  });
  if (bavail * bsize >= bytesNeeded) return;
  throw new ExopoolError(
    'EXOPOOL_NO_SPACE',
    `${place} has ${formatBytes(bavail * bsize)} free and up to ${formatBytes(bytesNeeded)} are needed: ` +
      'give --dir another folder, or fewer --records',
  );
}
