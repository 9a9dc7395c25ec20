/**
 * A stack of undo steps: each resource that is acquired pushes how it is given up, and the end runs them newest first.
 *
 *   push(close broker)  push(close server)  push(stop timer)    undo(): stop timer, close server, close broker
 *
 * One step that fails must not keep the others from running, or a port, a lease or a limit on the machine stays behind.
 * So every step runs, and all failures are reported together.
 */
import { ExopoolError, toExopoolError } from './errors.js';

/** Gives up one resource; a promise that it returns is awaited. */
export type UndoStep = () => unknown;

/**
 * Undo steps, run once in reverse order.
 * @example
 * ```ts
 * import { UndoStack } from '@exopool/shared';
 *
 * const undo = new UndoStack();
 * undo.push(() => console.log('close the broker'));
 * undo.push(() => console.log('close the server'));
 * await undo.undo();
 * console.log('done'); // close the server, then close the broker, then done
 * ```
 */
export class UndoStack {
  readonly #steps: UndoStep[] = [];
  #undoing: Promise<void> | undefined;

  /** Adds steps; the last one runs first. @throws ExopoolError `EXOPOOL_CLOSED` once undoing has begun. */
  push(...steps: readonly UndoStep[]): void {
    if (this.#undoing !== undefined)
      throw new ExopoolError('EXOPOOL_CLOSED', 'undoing has begun; push each step before undo()');
    this.#steps.push(...steps);
  }

  /**
   * Runs every step, newest first, one after the other. Idempotent: later calls resolve or reject as the first one.
   * @throws ExopoolError of the only step that failed. When several failed: the code of the first one, the messages
   *   of all, and an AggregateError of all as the cause.
   */
  undo(): Promise<void> {
    return (this.#undoing ??= this.#run());
  }

  /**
   * Undoes what a start had done before it failed.
   * @throws ExopoolError `failure`; when undoing fails too, with that in its message and in its cause.
   */
  async undoAfter(failure: unknown): Promise<never> {
    const reason = toExopoolError(failure);
    try {
      await this.undo();
    } catch (error) {
      throw combine([reason, toExopoolError(error)]);
    }
    throw reason;
  }

  async #run(): Promise<void> {
    const failures: ExopoolError[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(toExopoolError(error));
      }
    }
    if (failures.length > 0) throw combine(failures);
  }
}

function combine(failures: readonly ExopoolError[]): ExopoolError {
  const first = failures[0]!;
  if (failures.length === 1) return first;
  const message = failures.map((failure) => failure.message).join('; also: ');
  return new ExopoolError(first.code, message, { cause: new AggregateError(failures, message) });
}
