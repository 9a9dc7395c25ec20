/**
 * Errors: one class, a closed set of stable codes, a message that says what to do, and the cause.
 *
 * A code never changes its meaning. Programs test `error.code`; people read `error.message`. The command line prints
 * `exopool: <code>: <message>` in one line and exits with {@link ExopoolError.exitStatus}.
 */

/** Every code with its explanation in one line. */
export const errorCodes = {
  EXOPOOL_USAGE: 'the command line is not understood',
  EXOPOOL_CONFIG: 'a setting has a wrong type or is out of its range; the message names its path',
  EXOPOOL_INVALID: 'an argument of an API call is out of its limits',
  EXOPOOL_INPUT: 'data to be imported is not in the format that was asked for',
  EXOPOOL_NOT_FOUND: 'a file or folder that is needed is not there',
  EXOPOOL_CORRUPT:
    'stored bytes fail their checksum or contradict themselves; the message names file and offset',
  EXOPOOL_TRAVERSAL:
    'a user-defined traversal does not compile, is refused by the verifier, or broke a rule; the message names it',
  EXOPOOL_ENCODING:
    'a stored key or value is not in the encoding that the store was opened with; the message names the key',
  EXOPOOL_VERSION: 'a file or peer uses a newer version than this program knows',
  EXOPOOL_LOCKED: 'the store is open for writing already, here or in another process',
  EXOPOOL_NO_SPACE: 'the disk or quota is full; nothing that was there before is lost',
  EXOPOOL_PERMISSION: 'the operating system refuses; the message says which right would help',
  EXOPOOL_IO: 'reading or writing failed',
  EXOPOOL_CLOSED: 'the object was closed before the call',
  EXOPOOL_ABORTED: 'the caller asked to stop',
  EXOPOOL_TIMEOUT: 'a peer did not answer in time',
  EXOPOOL_UNSUPPORTED: 'this machine lacks a mechanism; the message says what would enable it',
  EXOPOOL_NATIVE: 'the native addon cannot be loaded; the message says how to build it',
  EXOPOOL_PORT_IN_USE: 'the address to listen on is taken',
  EXOPOOL_UNAVAILABLE: 'a broker or producer cannot be reached',
  EXOPOOL_DENIED: 'a peer refused: not authenticated, or not the owner',
  EXOPOOL_TICKET_INVALID: 'a lease ticket is malformed, forged, or meant for somebody else',
  EXOPOOL_TICKET_EXPIRED: 'a lease ticket is past its end',
  EXOPOOL_NO_MEMORY: 'nobody has the slabs that were asked for',
  EXOPOOL_PROTOCOL: 'a peer sent bytes that the protocol does not allow',
  EXOPOOL_GUEST: 'a virtual machine did not boot, or died; the end of its log says more',
  EXOPOOL_INTERNAL: 'a fault of the program itself; please report it',
} as const;

/** One of the codes in {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes;

/**
 * The only error that packages of exopool throw on purpose.
 *
 * @example
 * ```js
 * import { ExopoolError, toExopoolError } from '@exopool/shared';
 * import { readFileSync } from 'node:fs';
 *
 * try {
 *   readFileSync('no-such-file');
 * } catch (thrown) {
 *   const error = toExopoolError(thrown, 'cannot read the settings');
 *   console.log(error instanceof ExopoolError, error.code); // true EXOPOOL_NOT_FOUND
 * }
 * ```
 */
export class ExopoolError extends Error {
  /** The stable code, for programs. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ExopoolError';
    this.code = code;
  }

  /** Exit status of a command that ends with this error: 2 for usage and configuration, else 1. */
  get exitStatus(): number {
    return this.code === 'EXOPOOL_USAGE' || this.code === 'EXOPOOL_CONFIG' ? 2 : 1;
  }
}

const systemCodes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'EXOPOOL_NOT_FOUND',
  ENOTDIR: 'EXOPOOL_NOT_FOUND',
  ENOSPC: 'EXOPOOL_NO_SPACE',
  EDQUOT: 'EXOPOOL_NO_SPACE',
  EACCES: 'EXOPOOL_PERMISSION',
  EPERM: 'EXOPOOL_PERMISSION',
  EROFS: 'EXOPOOL_PERMISSION',
  EADDRINUSE: 'EXOPOOL_PORT_IN_USE',
  ECONNREFUSED: 'EXOPOOL_UNAVAILABLE',
  EHOSTUNREACH: 'EXOPOOL_UNAVAILABLE',
  ETIMEDOUT: 'EXOPOOL_TIMEOUT',
  ABORT_ERR: 'EXOPOOL_ABORTED',
};

/** What to do about errors whose own message does not say it. */
const remedies: Readonly<Record<string, string>> = {
  EMFILE: 'this process has as many files open as it may; close some, or raise the limit (ulimit -n)',
  ENFILE: 'this machine has as many files open as it may; close some, or raise the sysctl fs.file-max',
};

/**
 * Converts anything that was thrown to an {@link ExopoolError}. Such an error stays itself. An error of the operating system
 * gets the code that fits its `errno` name, or `EXOPOOL_IO`. Anything else becomes `EXOPOOL_INTERNAL`.
 * @param context says what failed: "cannot write /data/x". It is put before the message.
 */
export function toExopoolError(thrown: unknown, context?: string): ExopoolError {
  if (thrown instanceof ExopoolError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const system = (error as NodeJS.ErrnoException).code;
  const remedy = system === undefined ? undefined : remedies[system];
  const what = remedy === undefined ? error.message : `${error.message}; ${remedy}`;
  const message = context === undefined ? what : `${context}: ${what}`;
  if (typeof system !== 'string') return new ExopoolError('EXOPOOL_INTERNAL', message, { cause: thrown });
  const isErrno = /^E[A-Z0-9]+$/.test(system);
  const code = systemCodes[system] ?? (isErrno ? 'EXOPOOL_IO' : 'EXOPOOL_INTERNAL');
  return new ExopoolError(code, message, { cause: thrown });
}
