/** Looks for leftovers of a run on the machine itself, independently of the code that cleaned up. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defaultStateDir } from '@exopool/native';
import { isRunning, type ProcessIdentity } from '@exopool/native/internal';

/** Everything that a run started or created. */
export interface Traces {
  readonly processes: readonly ProcessIdentity[];
  /** Folders and cgroups. */
  readonly paths: readonly string[];
}

/** @returns one line for each leftover. A journal means a change that was not undone. */
export function findRemains({ processes, paths }: Traces, stateDir = defaultStateDir()): string[] {
  const pids = new Set(processes.map(({ pid }) => String(pid)));
  const journals = existsSync(stateDir) ? readdirSync(stateDir) : [];
  return [
    ...processes.filter(isRunning).map(({ pid }) => `process ${pid}`),
    ...paths.filter((path) => existsSync(path)),
    ...journals
      .filter((name) => pids.has(/^journal-(\d+)-/.exec(name)?.[1] ?? ''))
      .map((name) => join(stateDir, name)),
  ];
}
