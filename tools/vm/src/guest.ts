/**
 * One boot of a guest: from the start of QEMU to the command's exit status, or to the reason why there is none.
 *
 *   booting --start mark--> running --exit mark on both ports--> done
 *      └ too long, panic, QEMU ends ┘
 */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import { superviseScript, type Supervised } from './guest-scripts.js';
import { GuestStream } from './guest-stream.js';
import type { Kernel } from './kernel-cache.js';
import { consoleFile, qemuArguments, type Hardware } from './qemu-arguments.js';
import { QemuProcess } from './qemu-process.js';

/** An emulated boot takes 10 s, and 100 s on a busy machine. Past this the guest hangs. */
const bootTimeoutMs = 300_000;
/** Lines of the guest's log in an error: enough for a panic with its stack. */
const logLines = 60;

export interface Output {
  out(bytes: Buffer): void;
  err(bytes: Buffer): void;
}

export type GuestOutcome =
  | { readonly kind: 'exited'; readonly status: number }
  /** `started`: the command had begun, so it may have had effects. */
  | { readonly kind: 'failed'; readonly reason: string; readonly started: boolean; readonly log: string };

export type GuestRun = Omit<Supervised, 'token' | 'release' | 'modulesFolder'>;

/**
 * @param folder used by this run alone; empty, or left by an earlier boot.
 * @throws `EXOPOOL_UNSUPPORTED` if QEMU cannot run here, `EXOPOOL_ABORTED`
 */
export async function bootGuest(
  kernel: Kernel,
  folder: string,
  hardware: Hardware,
  run: GuestRun,
  output: Output,
  signal?: AbortSignal,
): Promise<GuestOutcome> {
  const token = randomBytes(16).toString('hex');
  const { release, modulesFolder } = kernel;
  await writeFile(join(folder, 'supervise'), superviseScript({ ...run, token, release, modulesFolder }));
  signal?.throwIfAborted();

  let started = false;
  let hung = false;
  const statuses: number[] = [];
  const mark = (line: string): void => {
    if (line === 'start') {
      started = true;
      clearTimeout(timer);
    }
    const exit = /^exit (\d+)$/.exec(line);
    if (exit !== null && statuses.push(Number(exit[1])) === 2) qemu?.kill();
  };
  const out = new GuestStream(token, { data: (bytes) => output.out(bytes), mark });
  const err = new GuestStream(token, { data: (bytes) => output.err(bytes), mark });
  let qemu: QemuProcess | undefined = undefined as QemuProcess | undefined;
  const timer = setTimeout(() => {
    hung = true;
    qemu?.kill();
  }, bootTimeoutMs);
  const stop = (): void => qemu?.kill();
  signal?.addEventListener('abort', stop);
  try {
    const readers = { out: (bytes: Buffer) => out.push(bytes), err: (bytes: Buffer) => err.push(bytes) };
    qemu = await QemuProcess.start(qemuArguments(kernel, folder, hardware), folder, readers);
    await qemu.ended;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
  out.end();
  err.end();
  if (statuses.length === 2) return { kind: 'exited', status: statuses[0]! };
  signal?.throwIfAborted();
  if (qemu.refusal !== undefined) throw qemu.refusal;
  const log = await readFile(join(folder, consoleFile), 'utf8').catch(() => '');
  return { kind: 'failed', reason: explain(log, hung), started, log: lastLines(log) };
}

export function explain(log: string, hung: boolean): string {
  const panic = /Kernel panic - not syncing: (.*)/.exec(log)?.[1];
  if (panic !== undefined) return `the guest's kernel panicked (${panic.trim()})`;
  const complaint = /^exopool: (.*)$/m.exec(log)?.[1];
  if (complaint !== undefined) return `the guest gave up: ${complaint.trim()}`;
  return hung ? `the guest did not boot within ${bootTimeoutMs / 1000} s` : 'the guest ended without a word';
}

function lastLines(log: string): string {
  return log.trimEnd().split(/\r?\n/).slice(-logLines).join('\n');
}

/** The error for a guest that failed for good. */
export function guestError({ reason, started }: Extract<GuestOutcome, { kind: 'failed' }>): ExopoolError {
  const when = started ? 'while the command ran' : 'twice before the command could start';
  return new ExopoolError('EXOPOOL_GUEST', `${reason}, ${when}; the end of its log is above`);
}
