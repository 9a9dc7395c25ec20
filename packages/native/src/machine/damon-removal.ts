/** Tells our kdamond from others, and removes it, also after its process was killed. */
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Several aggregations of a few seconds each. */
const busyTimeoutMs = 10_000;
const busyPollMs = 20;

/** Stops and removes the kdamond that has this mark, or one that was never set up. Leaves any other alone. */
export async function removeDamon(kdamonds: string, mark: number): Promise<void> {
  if (!existsSync(kdamonds) || count(join(kdamonds, 'nr_kdamonds')) !== 1) return;
  const found = readMark(kdamonds);
  if (found !== mark && !(found === undefined && (await patiently(() => isBlank(kdamonds))))) return;
  await patiently(async () => {
    // A kdamond stops by itself when the watched process ends. Stopping it fails then.
    if (isRunning(kdamonds)) await writeFile(join(kdamonds, '0/state'), 'off').catch(() => undefined);
    await writeFile(join(kdamonds, 'nr_kdamonds'), '0');
  });
}

/** A request of a killed process keeps the kernel's side busy until the request is done. */
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

/** The number in a file `nr_…`; 0 when there is no such file. */
export function count(file: string): number {
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

/** The kdamond never ran, and has nothing to watch. */
function isBlank(kdamonds: string): boolean {
  return !isRunning(kdamonds) && count(join(kdamonds, '0/contexts/0/targets/nr_targets')) === 0;
}

/** Whether the kdamond watches a process now. */
export function isRunning(kdamonds: string): boolean {
  return readFileSync(join(kdamonds, '0/state'), 'utf8').trim() === 'on';
}

/** The mark of a kdamond; `undefined` when its scheme is missing or not set up yet. */
export function readMark(kdamonds: string): number | undefined {
  const file = join(kdamonds, '0/contexts/0/schemes/0/access_pattern/age/max');
  const mark = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  return mark === 0 ? undefined : mark;
}
