/**
 * Cleans up if the suite is killed: a separate process that waits while the suite runs. If the channel breaks without a
 * message, it removes the work folder and undoes the changes in the suite's journals, which also ends the processes in
 * its cgroups. This file is both ends of the channel.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { undoLeftovers } from '@exopool/native';
import { processIdentity, isRunning } from '@exopool/native/internal';

const role = 'exopool-bench-janitor';
const parentGoneMax = 200;
const parentGonePollMs = 50;
/** Processes of the suite take up to 20 s to end after it, and write into the folder until then. */
const untilUnused = { maxRetries: 20, retryDelay: 100 } as const;

export class Janitor {
  private constructor(private readonly process: ChildProcess) {}

  /** Resolves once the process watches. @param folder to remove; `undefined` to keep it. */
  static async start(folder: string | undefined): Promise<Janitor> {
    const words = [role, String(process.pid), folder ?? ''];
    const child = fork(fileURLToPath(import.meta.url), words, {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    await once(child, 'message');
    return new Janitor(child);
  }

  /** Ends the process without any cleanup. */
  async close(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.send('done', () => undefined);
    await ended;
  }
}

function watch(parentPid: number, folder: string): void {
  const parent = processIdentity(parentPid);
  process.on('message', () => process.exit(0));
  process.once('disconnect', () => {
    void (async () => {
      // The channel breaks before the suite's process has ended, and the journal of a running process is left alone.
      for (let poll = 0; poll < parentGoneMax && parent !== undefined && isRunning(parent); poll += 1) {
        await new Promise((resolve) => setTimeout(resolve, parentGonePollMs));
      }
      try {
        await undoLeftovers();
      } finally {
        if (folder !== '') await rm(folder, { recursive: true, force: true, ...untilUnused });
      }
      process.exit(0);
    })();
  });
  process.send?.('ready');
}

if (process.argv[2] === role) watch(Number(process.argv[3]), process.argv[4]!);
