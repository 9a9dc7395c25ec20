/** Runs the built command in a process of its own, as a user would. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { needs } from '@exopool/house';

export const mainPath = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** For tests that run it. */
export const needsBuild = needs('build', existsSync(mainPath) ? undefined : 'not built');

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the process once it runs. */
  readonly onStart?: (child: ChildProcess) => void;
  /** Another program to start it with, such as `setpriv`. */
  readonly prefix?: readonly string[];
}

export async function runExopool(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [program, ...rest] = [...(options.prefix ?? []), process.execPath, mainPath, ...words];
  const child = spawn(program!, rest, { env: { ...process.env, ...options.env } });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // Who fails early does not read its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input);
  options.onStart?.(child);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}
