/**
 * A program in a memory cgroup without a limit, which the harvester sets. All processes in the cgroup are killed at the
 * end, or by the janitor if this process was killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MachineJournal, MemoryCgroup } from '@exopool/native';
import { ExopoolError, toExopoolError } from '@exopool/shared';

const enterAndBecome = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
const complaintBytesMax = 2048;
const pollMs = 20;
/** A server starts in far less time even on a busy machine. */
const startMsMax = 30_000;

export class CagedProgram {
  #complaint = '';

  /** @param command the first word must be a path. */
  static async start(name: string, command: readonly string[], folder: string): Promise<CagedProgram> {
    const journal = MachineJournal.open();
    try {
      const cgroup = MemoryCgroup.create(journal, `bench-${name}-${process.pid}`);
      const words = ['-c', enterAndBecome, cgroup.path, ...command];
      const child = spawn('/bin/sh', words, {
        cwd: folder,
        detached: true,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      await once(child, 'spawn');
      return new CagedProgram(cgroup, child, journal);
    } catch (error) {
      await journal.undoAll();
      throw toExopoolError(error, `cannot start ${name}`);
    }
  }

  private constructor(
    readonly cgroup: MemoryCgroup,
    readonly process: ChildProcess,
    private readonly journal: MachineJournal,
  ) {
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString('utf8')).slice(-complaintBytesMax);
    });
  }

  /** Resolves once `isUp` returns true. @throws ExopoolError with its last output if the program ends before. */
  async whenUp(isUp: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + startMsMax;
    while (!(await isUp())) {
      const { exitCode, signalCode } = this.process;
      if (exitCode !== null || signalCode !== null || performance.now() > deadlineMs) {
        const words = this.#complaint.trim().split('\n').slice(-2).join(' ');
        throw new ExopoolError('EXOPOOL_UNAVAILABLE', `the server did not come up: ${words}`);
      }
      await sleep(pollMs);
    }
  }

  async close(): Promise<void> {
    await this.journal.undoAll();
  }
}

/** Whether a process listens on a Unix socket or a port. */
export function listens(at: string | { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const client = typeof at === 'string' ? connect(at) : connect(at);
    client
      .on('connect', () => {
        client.destroy();
        resolve(true);
      })
      .on('error', () => resolve(false));
  });
}
