/**
 * Who cleans up when the suite is killed: a process of its own that does nothing while the suite lives. When the
 * channel to it breaks without a word, it removes the work folder and undoes what the suite's journals say, which ends
 * the processes in its cgroups too. This file is both ends of the channel.
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
/** Processes of the suite end when it is gone, but not at once, and write into the folder until then: some 20 s. */
const untilUnused = { maxRetries: 20, retryDelay: 100 } as const;

export class Janitor {
  private constructor(private readonly process: ChildProcess) {}

  /** Resolves once it is on watch. @param folder to remove; none when it is to be kept. */
  static async start(folder: string | undefined): Promise<Janitor> {
    const words = [role, String(process.pid), folder ?? ''];
    const child = fork(fileURLToPath(import.meta.url), words, {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    await once(child, 'message');
    return new Janitor(child);
  }

  /** Sends it home. */
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
      // The channel breaks before the process is quite gone, and the journal of one that runs is left alone.
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
