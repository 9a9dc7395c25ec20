/**
 * The application to harvest from: a command that the producer starts, or an existing cgroup.
 *
 * A command runs in a new cgroup. It gets SIGTERM when the producer closes. It gets SIGKILL from the kernel when the
 * producer dies (`setpriv --pdeathsig`), so it never outlives it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryCgroup, type MachineJournal } from '@exopool/native';
import { cgroupProcesses } from '@exopool/native/internal';
import { ExopoolError, toExopoolError } from '@exopool/shared';

export interface ApplicationChoice {
  readonly run?: string | undefined;
  readonly command: readonly string[];
  readonly cgroup?: string | undefined;
  readonly pid?: number | undefined;
  /** A systemd unit. */
  readonly unit?: string | undefined;
}

/** How long a command may take to end by itself after SIGTERM. */
const terminateGraceMs = 5000;
const enterPollMs = 2;

/** The words of the command, or `undefined` without one. The shell runs a command line. */
export function commandWords(choice: ApplicationChoice): readonly string[] | undefined {
  if (choice.command.length > 0) return choice.command;
  return choice.run === undefined ? undefined : ['/bin/sh', '-c', choice.run];
}

/** The chosen cgroup; a new one for a command. `undefined` when none was chosen. */
export function applicationCgroup(
  choice: ApplicationChoice,
  journal: MachineJournal,
): MemoryCgroup | undefined {
  if (commandWords(choice) !== undefined) return MemoryCgroup.create(journal, `app-${randomUUID()}`);
  const cgroup = existingCgroup(choice);
  if (cgroup === undefined) return undefined;
  if (!cgroupProcesses(cgroup.path).includes(process.pid)) return cgroup;
  const message = `cannot harvest from ${cgroup.path}: it is this producer's own cgroup; move the application to another one, or use --run`;
  throw new ExopoolError('EXOPOOL_INVALID', message);
}

function existingCgroup({ cgroup, pid, unit }: ApplicationChoice): MemoryCgroup | undefined {
  if (cgroup !== undefined) return MemoryCgroup.at(cgroup);
  if (pid !== undefined) return MemoryCgroup.ofProcess(pid);
  return unit === undefined ? undefined : MemoryCgroup.ofUnit(unit);
}

/** A running command. */
export class Command {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /**
   * Starts `words`, in `cgroup` if one is given. The command inherits standard output and standard error.
   * @throws ExopoolError when it cannot be started.
   */
  static async start(words: readonly string[], cgroup: MemoryCgroup | undefined): Promise<Command> {
    const enter = cgroup === undefined ? '' : 'echo $$ > "$0/cgroup.procs" && ';
    const shell = ['/bin/sh', '-c', `${enter}exec "$@"`, cgroup?.path ?? 'sh', ...words];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...shell], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const ended = once(child, 'exit');
    ended.catch(() => undefined);
    try {
      await once(child, 'spawn');
    } catch (error) {
      throw toExopoolError(error, `cannot start ${words.join(' ')} with setpriv (package util-linux)`);
    }
    const command = new Command(child, ended);
    if (cgroup !== undefined) await command.#hasEntered(cgroup);
    return command;
  }

  private constructor(child: ChildProcess, ended: Promise<unknown>) {
    this.#child = child;
    this.#ended = ended;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits until the shell has moved itself into the cgroup, before it becomes the command. */
  async #hasEntered(cgroup: MemoryCgroup): Promise<void> {
    while (this.isRunning && !cgroupProcesses(cgroup.path).includes(this.pid)) await sleep(enterPollMs);
  }

  async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.#child.kill('SIGTERM');
    const timeout = new AbortController();
    const grace = sleep(terminateGraceMs, false, { signal: timeout.signal }).catch(() => false);
    const hasEnded = await Promise.race([this.#ended.then(() => true), grace]);
    timeout.abort();
    if (hasEnded) return;
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
