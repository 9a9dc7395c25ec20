import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@exopool/house';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineJournal, parseJournal, undoLeftovers } from './journal.js';
import { processIdentity } from './process.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('MachineJournal', () => {
  it('writes a change down before it is made, and undoes them in reverse order', async () => {
    const file = join(folder, 'limit');
    writeFileSync(file, 'first');
    const journal = MachineJournal.open(join(folder, 'state'));
    journal.record({ kind: 'file', path: file, old: 'first' });
    expect(parseJournal(readFileSync(journal.path, 'utf8')).changes).toHaveLength(1);
    writeFileSync(file, 'second');
    journal.record({ kind: 'file', path: file, old: 'second' });
    writeFileSync(file, 'third');

    await journal.undoAll();
    await journal.undoAll();
    expect(readFileSync(file, 'utf8')).toBe('first');
    expect(existsSync(journal.path)).toBe(false);
    expect(() => journal.record({ kind: 'file', path: file, old: '' })).toThrow(/closed/);
  });

  it('keeps the journal when something cannot be undone, and undoes the rest', async () => {
    const file = join(folder, 'limit');
    writeFileSync(file, 'new');
    const journal = MachineJournal.open(folder);
    journal.record({ kind: 'file', path: file, old: 'old' });
    journal.record({ kind: 'cgroup', path: join(folder, 'not-ours') });
    await expect(journal.undoAll()).rejects.toThrow(/not a cgroup of exopool/);
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(existsSync(journal.path)).toBe(true);
  });
});

const noLimits = spawnSync('prlimit', ['--version']).error?.message;

describe('on a full disk', needs('util-linux', noLimits), () => {
  /** Of this process: a file that reaches it is cut short like one on a full disk. */
  const setFileBytesMax = (bytes: number | 'unlimited'): unknown =>
    execFileSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:`]);

  it('refuses the change, and does not lose the next one in what was written of it', async () => {
    const file = join(folder, 'limit');
    writeFileSync(file, 'new');
    const journal = MachineJournal.open(join(folder, 'state'));
    const torn = { kind: 'file', path: join(folder, 'torn'), old: 'old' } as const;
    try {
      setFileBytesMax(statSync(journal.path).size + 20);
      expect(() => journal.record(torn)).toThrow(/EFBIG/);
    } finally {
      setFileBytesMax('unlimited');
    }
    const change = { kind: 'file', path: file, old: 'old' } as const;
    journal.record(change);
    expect(parseJournal(readFileSync(journal.path, 'utf8')).changes).toEqual([change]);
    await journal.undoAll();
    expect(readFileSync(file, 'utf8')).toBe('old');
  });
});

describe('undoLeftovers', () => {
  it('undoes what the dead left, and leaves the living alone', async () => {
    const file = join(folder, 'limit');
    writeFileSync(file, 'now');
    const living = MachineJournal.open(folder);
    living.record({ kind: 'file', path: file, old: 'living' });
    const dead = { ...processIdentity(process.pid)!, startTicks: 1 };
    const lines = [{ owner: dead }, { kind: 'file', path: file, old: 'dead' }].map((line) =>
      JSON.stringify(line),
    );
    // The last line is torn: its change was never made.
    writeFileSync(join(folder, `journal-${dead.pid}-1-1.jsonl`), `${lines.join('\n')}\n{"kind":"file","pa`);
    writeFileSync(join(folder, 'journal-of-somebody.txt'), 'not ours');

    expect(await undoLeftovers(folder)).toHaveLength(1);
    expect(readFileSync(file, 'utf8')).toBe('dead');
    expect(await undoLeftovers(folder)).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.jsonl'))).toHaveLength(1);
    await living.undoAll();
    expect(await undoLeftovers(join(folder, 'none'))).toEqual([]);
  });

  it('leaves a journal alone whose living owner has not named itself yet', async () => {
    const { pid, startTicks } = processIdentity(process.pid)!;
    const name = `journal-${pid}-${startTicks}-9.jsonl`;
    writeFileSync(join(folder, name), '');
    writeFileSync(join(folder, `journal-${pid}-1-9.jsonl`), '');
    expect(await undoLeftovers(folder)).toEqual([]);
    expect(readdirSync(folder)).toEqual([name]);
  });

  it('passes over a journal that another process has just undone', async () => {
    symlinkSync(join(folder, 'gone'), join(folder, 'journal-1-1-1.jsonl'));
    expect(await undoLeftovers(folder)).toEqual([]);
  });

  it('takes any bytes for an empty journal', () => {
    expect(parseJournal('\0\u{1F4A9}{[\n"x"\n7\nnull')).toEqual({ owner: undefined, changes: [] });
  });
});
