/**
 * A Node.js process that starts inside a memory cgroup: a shell enters the cgroup and then becomes Node.js, so that all
 * of the process's memory counts. It answers requests over its IPC channel, one at a time.
 *
 * It has its own session: Ctrl-C in the terminal reaches only the suite, which ends the process.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { MemoryCage } from '@exopool/native';
import { ExopoolError } from '@exopool/shared';

/** The end of standard error is kept to explain an unexpected exit. */
const complaintBytesMax = 2048;
const enterAndBecome = 'echo $$ > "$0" && exec "$@"';

export interface CagedOptions {
  readonly cage: Pick<MemoryCage, 'processesFile'> | undefined;
  readonly module: string;
  readonly argument: object;
  readonly nodeOptions: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export class CagedProcess {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #signal: AbortSignal;
  readonly #stop = (): void => void this.#process.kill('SIGKILL');
  #complaint = '';

  constructor({ cage, module, argument, nodeOptions, env, signal }: CagedOptions) {
    const command = [process.execPath, ...nodeOptions, module, JSON.stringify(argument)];
    const [program, ...rest] =
      cage === undefined ? command : ['/bin/sh', '-c', enterAndBecome, cage.processesFile, ...command];
    this.#process = spawn(program!, rest, {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString('utf8')).slice(-complaintBytesMax);
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once('error', () => resolve());
      this.#process.once('close', () => resolve());
    });
    this.#signal = signal;
    signal.addEventListener('abort', this.#stop);
    if (signal.aborted) this.#stop();
  }

  /** @throws ExopoolError if the request fails, or the process ends before its answer. */
  async ask(request: object): Promise<unknown> {
    const answered = new Promise<unknown>((resolve) => this.#process.once('message', resolve));
    this.#process.send(request, () => undefined);
    const answer = await Promise.race([answered, this.#ended]);
    this.#signal.throwIfAborted();
    if (answer === undefined) throw new ExopoolError('EXOPOOL_UNAVAILABLE', this.#describeEnd());
    if (typeof answer === 'object' && answer !== null && 'error' in answer) {
      throw new ExopoolError('EXOPOOL_INTERNAL', String(answer.error));
    }
    return (answer as { result: unknown }).result;
  }

  /** Makes sure that the process has ended. */
  async close(): Promise<void> {
    this.#stop();
    await this.#ended;
    this.#signal.removeEventListener('abort', this.#stop);
  }

  #describeEnd(): string {
    const { exitCode, signalCode } = this.#process;
    const reason = signalCode === 'SIGKILL' ? 'killed, as it needs more memory than the limit' : undefined;
    const lastLines = this.#complaint.trim().split('\n').slice(-3).join(' ');
    return `${reason ?? `ended with ${signalCode ?? `status ${exitCode ?? 0}`}`}${lastLines && `: ${lastLines}`}`;
  }
}
