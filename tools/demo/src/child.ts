/**
 * A process of the demo. It has an IPC channel, and a session of its own: Ctrl-C in the terminal reaches only the demo,
 * which then ends its children in the right order. If the demo is killed, the channel breaks, and every child ends.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { processIdentity, type ProcessIdentity } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import type { ServeMessage } from './messages.js';

/** Longer than any start: on two cores that all processes share, Redis takes a minute to fill. Past this it hangs. */
const readyTimeoutMs = 180_000;
/** A producer that gives memory back unmaps gigabytes; past this it hangs. */
const closeTimeoutMs = 60_000;
/** The end of standard error is kept to explain an unexpected exit. */
const complaintBytesMax = 4096;

export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #identity: ProcessIdentity | undefined;
  readonly #ended: Promise<void>;
  readonly #listeners = new Set<(message: ServeMessage) => void>();
  #complaint = '';
  #figures: unknown;
  #closing = false;
  #failed: ExopoolError | undefined;

  /** @param module the JavaScript file to run. */
  constructor(name: string, module: string, parameters: readonly string[]) {
    this.name = name;
    this.#process = fork(module, parameters, { detached: true, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#identity = this.#process.pid === undefined ? undefined : processIdentity(this.#process.pid);
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString('utf8')).slice(-complaintBytesMax);
    });
    this.#process.on('message', (message: ServeMessage) => {
      if (message.type === 'figures') this.#figures = message.figures;
      for (const listener of this.#listeners) listener(message);
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        this.#failed = new ExopoolError('EXOPOOL_INTERNAL', `cannot start ${name}: ${error.message}`, {
          cause: error,
        });
        resolve();
      });
      this.#process.once('close', (status, signal) => {
        if (!this.#closing && status !== 0) this.#failed ??= this.#describeEnd(status, signal);
        resolve();
      });
    });
  }

  /** Undefined if it could not be started. */
  get identity(): ProcessIdentity | undefined {
    return this.#identity;
  }

  /** The latest figures that the process sent. Their type depends on the process. */
  get figures(): unknown {
    return this.#figures;
  }

  send(message: object): void {
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  /** Resolves with the facts of its `ready` message. @throws ExopoolError if it ends before, or takes too long. */
  async ready(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    const timeout = AbortSignal.timeout(readyTimeoutMs);
    let facts: Readonly<Record<string, unknown>> | undefined;
    const isReady = new Promise<void>((resolve) => {
      this.#listeners.add((message) => {
        if (message.type !== 'ready') return;
        facts = message.facts;
        resolve();
      });
    });
    await Promise.race([isReady, this.#ended, abortOf(AbortSignal.any([signal, timeout]))]);
    signal.throwIfAborted();
    this.assertRunning();
    if (facts === undefined)
      throw new ExopoolError('EXOPOOL_TIMEOUT', `${this.name} was not ready in ${readyTimeoutMs / 1000} s`);
    return facts;
  }

  /** @throws ExopoolError with its last output, if it ended unexpectedly. */
  assertRunning(): void {
    if (this.#failed) throw this.#failed;
  }

  /** Asks it to end, and kills it if it does not. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), closeTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #describeEnd(status: number | null, signal: NodeJS.Signals | null): ExopoolError {
    const lastWords = lastError(this.#complaint);
    const how = signal ?? `status ${status ?? 0}`;
    return new ExopoolError(
      'EXOPOOL_UNAVAILABLE',
      `${this.name} ended early (${how})${lastWords && `: ${lastWords}`}`,
    );
  }
}

/** The line that names the error: one of exopool's, else one of an uncaught exception, else the last line. */
function lastError(complaint: string): string {
  const lines = complaint.trim().split('\n');
  const named =
    lines.findLast((line) => line.startsWith('exopool: ')) ?? lines.find((line) => /Error\b/.test(line));
  return named ?? lines.at(-1) ?? '';
}

async function abortOf(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
