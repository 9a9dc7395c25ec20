/** Whether anything of a run is left, found by looking at the machine and not by trusting who cleaned up. */
import { existsSync, readdirSync } from 'node:fs';
import { defaultStateDir, findMemoryHierarchy, isRunning, type ProcessIdentity } from '@exopool/native';

/**
 * @param processes everything that was started.
 * @param folder the state of the run.
 * @returns one line for each thing that is left.
 */
export function findRemains(processes: readonly ProcessIdentity[], folder: string): string[] {
  const pids = new Set(processes.map(({ pid }) => String(pid)));
  const remains = processes.filter(isRunning).map(({ pid }) => `process ${pid}`);
  if (existsSync(folder)) remains.push(`folder ${folder}`);
  const journalOf = (name: string): string | undefined => /^journal-(\d+)-/.exec(name)?.[1];
  remains.push(...namesIn(defaultStateDir(), (name) => pids.has(journalOf(name) ?? '')));
  const cgroupOf = (name: string): string | undefined => /^exopool-.*?(\d+)$/.exec(name)?.[1];
  remains.push(...namesIn(cgroupRoot(), (name) => pids.has(cgroupOf(name) ?? '')));
  return remains;
}

function namesIn(folder: string | undefined, isOurs: (name: string) => boolean): string[] {
  if (folder === undefined || !existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(isOurs)
    .map((name) => `${folder}/${name}`);
}

function cgroupRoot(): string | undefined {
  try {
    return findMemoryHierarchy().root;
  } catch {
    return undefined;
  }
}
