/** Which kdamond is whose, and how ours is removed, also after its process was killed. */
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Some times an aggregation of a few seconds. */
const busyTimeoutMs = 10_000;
const busyPollMs = 20;

/** Stops and removes the kdamond that has this mark, or one of which nothing was said yet. Leaves any other alone. */
export async function removeDamon(kdamonds: string, mark: number): Promise<void> {
  if (!existsSync(kdamonds) || count(join(kdamonds, 'nr_kdamonds')) !== 1) return;
  const found = readMark(kdamonds);
  if (found !== mark && !(found === undefined && (await patiently(() => isBlank(kdamonds))))) return;
  await patiently(async () => {
    // It stops by itself when the process ends, and cannot be stopped then.
    if (isRunning(kdamonds)) await writeFile(join(kdamonds, '0/state'), 'off').catch(() => undefined);
    await writeFile(join(kdamonds, 'nr_kdamonds'), '0');
  });
}

/** A request of a process that was killed still keeps the kernel's side busy until it is done. */
async function patiently<T>(work: () => Promise<T> | T): Promise<T> {
  const deadlineMs = Date.now() + busyTimeoutMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || Date.now() > deadlineMs) throw error;
    }
    await sleep(busyPollMs);
  }
}

/** Of a file `nr_…`; 0 when it is not there. */
export function count(file: string): number {
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

/** It never ran, nor was it told what to watch. */
function isBlank(kdamonds: string): boolean {
  return !isRunning(kdamonds) && count(join(kdamonds, '0/contexts/0/targets/nr_targets')) === 0;
}

export function isRunning(kdamonds: string): boolean {
  return readFileSync(join(kdamonds, '0/state'), 'utf8').trim() === 'on';
}

/** `undefined`: no scheme, or one that nobody has described yet. */
export function readMark(kdamonds: string): number | undefined {
  const file = join(kdamonds, '0/contexts/0/schemes/0/access_pattern/age/max');
  const mark = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  return mark === 0 ? undefined : mark;
}
