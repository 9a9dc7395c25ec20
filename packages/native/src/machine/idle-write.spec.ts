import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeInIdleTime } from './idle-write.js';

/** SCHED_IDLE, as /proc/PID/task/TID/stat has it. */
const idlePolicy = 5;

it('makes the writes in their order, and stops at the first that fails', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'exopool-idle-'));
  const file = join(folder, 'file');
  writeFileSync(file, 'something longer');
  await writeInIdleTime(file, 'first', 'second');
  expect(readFileSync(file, 'utf8')).toBe('second');
  await writeInIdleTime(file);
  expect(readFileSync(file, 'utf8')).toBe('second');
  await expect(writeInIdleTime(join(folder, 'none'), '1')).rejects.toMatchObject({
    code: 'EXOPOOL_NOT_FOUND',
    cause: { code: 'ENOENT' },
  });
  rmSync(folder, { recursive: true });
});

it('makes them on a thread that gives way to all others', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'exopool-idle-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const main = (): number => policyOf(readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8'));
  const before = main();
  // Opening a pipe waits for a reader: the thread is there to be looked at.
  const written = writeInIdleTime(pipe, 'text');
  await expect.poll(policies).toContain(idlePolicy);
  expect(main()).toBe(before);
  expect(readFileSync(pipe, 'utf8')).toBe('text');
  await written;
  await expect.poll(policies).not.toContain(idlePolicy);
  rmSync(folder, { recursive: true });
});

function policies(): number[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    try {
      return [policyOf(readFileSync(`/proc/self/task/${thread}/stat`, 'utf8'))];
    } catch {
      return [];
    }
  });
}

/** Its 41st field; the second, the name, may have spaces. */
function policyOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]);
}
