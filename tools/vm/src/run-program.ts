/** Runs a program to its end and returns its output. */
import { spawn } from 'node:child_process';
import { ExopoolError } from '@exopool/shared';

export interface ProgramOptions {
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** The Debian package of the program, for the error message if it is missing. */
  readonly debianPackage?: string;
}

/** Bytes of standard error in an error message. */
const complaintBytesMax = 2000;

/** @throws `EXOPOOL_UNSUPPORTED` if the program is missing, `EXOPOOL_IO` if it fails, `EXOPOOL_ABORTED` */
export async function runProgram(
  program: string,
  words: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const { signal, cwd, environment } = options;
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment, LC_ALL: 'C' },
    ...(signal === undefined ? {} : { signal }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  const output: Buffer[] = [];
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on(
    'data',
    (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-complaintBytesMax)),
  );
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(missing(error, program, options)));
    child.once('close', resolve);
  });
  if (status === 0) return Buffer.concat(output).toString();
  const what = `${program} ${words.join(' ')} failed with status ${status ?? 'unknown'}`;
  throw new ExopoolError('EXOPOOL_IO', `${what}: ${complaint.trim()}`);
}

function missing(error: NodeJS.ErrnoException, program: string, options: ProgramOptions): Error {
  if (error.code !== 'ENOENT') return error;
  const fix = `apt-get install ${options.debianPackage ?? program}`;
  return new ExopoolError('EXOPOOL_UNSUPPORTED', `${program} is not installed; to install it: ${fix}`, {
    cause: error,
  });
}
