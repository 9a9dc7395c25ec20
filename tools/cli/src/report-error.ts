/** Prints errors of the command line in one line, `exopool: CODE: message`; EXOPOOL_DEBUG=1 adds the stack. */
import { CommanderError } from 'commander';
import { ExopoolError, toExopoolError } from '@exopool/shared/errors';

/** Commander throws after `--help` and `--version` too. */
function isFinished(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

export function exitStatusOf(error: unknown): number {
  return isFinished(error) ? 0 : asExopoolError(error).exitStatus;
}

export function reportError(error: unknown): void {
  if (!isFinished(error))
    process.stderr.write(`${describeError(error, process.env['EXOPOOL_DEBUG'] === '1')}\n`);
}

export function describeError(error: unknown, debug: boolean): string {
  const typed = asExopoolError(error);
  const line = `exopool: ${typed.code}: ${typed.message.replace(/\s*\n\s*/g, ' ').trim()}`;
  if (!debug) return line;
  const original = typed.cause instanceof Error ? typed.cause : typed;
  return `${line}\n${original.stack ?? ''}`;
}

function asExopoolError(error: unknown): ExopoolError {
  if (!(error instanceof CommanderError)) return toExopoolError(error);
  const message = error.code === 'commander.help' ? 'no command is given: see the list above' : error.message;
  return new ExopoolError('EXOPOOL_USAGE', message.replace(/^error: /, ''), { cause: error });
}
