/**
 * A journal of the changes to a machine, so that the machine can be left as it was found.
 *
 * Cgroups, limits and swap outlive the process that made them. So each change is written to a file and synced *before*
 * it is made, with all that undoing needs. At exit the changes are undone in reverse order. A killed process leaves its
 * journal behind, and the next process that starts undoes its changes.
 *
 *   journal-PID-TICKS.jsonl     {"owner":{"pid":7,"startTicks":42,"bootId":"…"}}
 *                               {"kind":"zram-add","existing":[0],"atMs":1790000000000}
 *                               {"kind":"zram","id":1,"uuid":"…"}
 *                               {"kind":"cgroup","path":"/sys/fs/cgroup/memory/exopool-7"}
 *
 * A record may describe a change that was never made, or one that is undone already. So undoing looks first, and does
 * nothing then. It never touches what is not ours any more: another swap area on the device, a cgroup of another name.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ExopoolError, toExopoolError, UndoStack } from '@exopool/shared';
import type { Change, ChangeRecorder } from './machine-change.js';
import { isRunning, processIdentity, type ProcessIdentity } from './process.js';
import { isUndoneByNext, undoChange } from './undo-change.js';

/** The name holds process and start as the first line does, which a starting process may not have written yet. */
const filePattern = /^journal-(\d+)-(\d+)(?:-\d+)?\.jsonl$/;

/** Attempts at undoing one change: memory that is being freed keeps a cgroup busy for a moment. */
const undoAttemptsMax = 3;

/** The folder of journals. A reboot empties it, and undoes the changes as well. */
export function defaultStateDir(): string {
  if (process.getuid?.() === 0) return '/run/exopool';
  return join(process.env['XDG_RUNTIME_DIR'] ?? `/tmp`, `exopool-${process.getuid?.() ?? 0}`);
}

let opened = 0;

/**
 * The journal of this process. Whatever changes the machine takes one, and records each change before it makes it.
 * @example
 * ```ts
 * import { MachineJournal, MemoryCgroup } from '@exopool/native';
 *
 * const journal = MachineJournal.open();
 * try {
 *   const group = MemoryCgroup.create(journal, 'worker');
 *   console.log(group.path); // such as /sys/fs/cgroup/memory/exopool-worker
 * } finally {
 *   await journal.undoAll(); // removes the cgroup
 * }
 * ```
 */
export class MachineJournal implements ChangeRecorder {
  readonly path: string;
  readonly #fd: number;
  readonly #changes: Change[] = [];
  #isClosed = false;
  /** The last append failed, as on a full disk: the file may end in half a line. */
  #isTorn = false;

  /**
   * Starts a journal of this process in `stateDir`, and makes that folder where it is missing.
   * @throws ExopoolError `EXOPOOL_PERMISSION`, `EXOPOOL_NO_SPACE`, or `EXOPOOL_UNSUPPORTED` without /proc.
   */
  static open(stateDir: string = defaultStateDir()): MachineJournal {
    const owner = processIdentity(process.pid);
    if (owner === undefined)
      throw new ExopoolError(
        'EXOPOOL_UNSUPPORTED',
        'cannot journal changes to the machine without /proc; mount it',
      );
    opened += 1;
    const path = join(stateDir, `journal-${owner.pid}-${owner.startTicks}-${opened}.jsonl`);
    try {
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      const journal = new MachineJournal(path, openSync(path, 'wx', 0o600));
      journal.#append({ owner });
      return journal;
    } catch (error) {
      throw toExopoolError(error, `cannot start the journal ${path}`);
    }
  }

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Records a change that is about to be made. Returns once the record is on disk. */
  record(change: Change): void {
    if (this.#isClosed)
      throw new ExopoolError(
        'EXOPOOL_CLOSED',
        'the journal is closed, and its changes are undone; open another one',
      );
    this.#append(change);
    this.#changes.push(change);
  }

  /**
   * Undoes all changes in reverse order, and removes the journal. Idempotent.
   * @throws ExopoolError that names the changes that could not be undone. The journal stays for a later attempt.
   */
  async undoAll(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
    await undoInReverse(this.#changes, this.path);
  }

  /** Removes the journal without undoing: its changes are undone already. Synchronous, for the end of a process. */
  discard(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
    removeIfThere(this.path);
  }

  #append(line: object): void {
    const separator = this.#isTorn ? '\n' : '';
    this.#isTorn = true;
    writeFileSync(this.#fd, `${separator}${JSON.stringify(line)}\n`);
    fsyncSync(this.#fd);
    this.#isTorn = false;
  }
}

/**
 * Undoes the changes of processes that were killed. Journals of running processes are left alone.
 * @returns one line for each change in their journals, newest first.
 * @throws ExopoolError of changes that could not be undone; their journal stays.
 */
export async function undoLeftovers(stateDir: string = defaultStateDir()): Promise<string[]> {
  const undone: string[] = [];
  for (const name of listJournals(stateDir)) {
    const path = join(stateDir, name);
    const text = readIfThere(path);
    if (text === undefined) continue;
    const { owner, changes } = parseJournal(text);
    if (owner === undefined ? isBeingStarted(name) : isRunning(owner)) continue;
    await undoInReverse(changes, path);
    undone.push(...changes.map((change) => JSON.stringify(change)).reverse());
  }
  return undone;
}

/** A journal gets its name before its first line. */
function isBeingStarted(name: string): boolean {
  const [, pid, startTicks] = filePattern.exec(name)!;
  return processIdentity(Number(pid))?.startTicks === Number(startTicks);
}

async function undoInReverse(changes: readonly Change[], path: string): Promise<void> {
  const undo = new UndoStack();
  const open = changes.filter((change, index) => !isUndoneByNext(change, changes[index + 1]));
  undo.push(...open.map((change) => () => undoPersistently(change, path)));
  await undo.undo();
  removeIfThere(path);
}

async function undoPersistently(change: Change, path: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await undoChange(change);
      return;
    } catch (error) {
      if (attempt < undoAttemptsMax) continue;
      throw toExopoolError(error, `cannot undo ${JSON.stringify(change)} (the journal ${path} is kept)`);
    }
  }
}

interface ParsedJournal {
  readonly owner: ProcessIdentity | undefined;
  readonly changes: readonly Change[];
}

/** Leaves out a torn line: it was never synced, so its change was never made. */
export function parseJournal(text: string): ParsedJournal {
  const lines = text.split('\n').flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === 'object' && value !== null ? [value] : [];
    } catch {
      return [];
    }
  });
  const first = lines[0] as { owner?: ProcessIdentity } | undefined;
  return { owner: first?.owner, changes: lines.filter((line): line is Change => 'kind' in line) };
}

function listJournals(stateDir: string): string[] {
  try {
    return readdirSync(stateDir).filter((name) => filePattern.test(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw toExopoolError(error, `cannot look for journals in ${stateDir}`);
  }
}

/** `undefined`: its owner, or another process that cleans up, has removed it meanwhile. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw toExopoolError(error, `cannot read the journal ${path}`);
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw toExopoolError(error, `cannot remove ${path}`);
  }
}
