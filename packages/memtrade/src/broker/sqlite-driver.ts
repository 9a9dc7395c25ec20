/**
 * SQLite without an install script: the one of Node.js (22.13 and later), else `libsql`, whose npm packages contain
 * its binaries.
 *
 * The broker uses only calls that both have. Integers are read as bigint, since an amount of money may exceed 2^53.
 * Both libraries use the same file format, so a broker keeps its state when Node.js is upgraded.
 */
import { createRequire } from 'node:module';
import { ExopoolError } from '@exopool/shared';

export type SqliteValue = string | number | bigint | null;

export interface SqliteStatement {
  run(...values: SqliteValue[]): { readonly lastInsertRowid: number | bigint };
  all(...values: SqliteValue[]): unknown[];
}

export interface SqliteDatabase {
  /** Runs statements that return nothing. */
  exec(sql: string): void;
  /** Prepares a statement whose rows have bigints for integers. */
  prepare(sql: string): SqliteStatement;
  close(): void;
}

export interface SqliteDriver {
  readonly name: 'node:sqlite' | 'libsql';
  /** Opens or creates a file. Fails at once if another process holds its lock. */
  open(path: string): SqliteDatabase;
}

/** A statement of either library. The method that turns bigints on has a different name in each. */
interface ForeignStatement extends SqliteStatement {
  setReadBigInts?(on: boolean): void;
  safeIntegers?(on: boolean): void;
}
interface ForeignDatabase extends SqliteDatabase {
  prepare(sql: string): ForeignStatement;
}
type ForeignClass = new (path: string, options: { readonly timeout: number }) => ForeignDatabase;

const require = createRequire(import.meta.url);

/** All drivers that this process can load, the preferred one first. */
export function sqliteDrivers(): SqliteDriver[] {
  return [nodeDriver(), libsqlDriver()].filter((driver) => driver !== undefined);
}

/** @throws ExopoolError `EXOPOOL_UNSUPPORTED` without a driver; the message has the command that installs one. */
export function sqliteDriver(): SqliteDriver {
  const [driver] = sqliteDrivers();
  if (driver !== undefined) return driver;
  const message = `this Node.js (${process.version}) has no SQLite: npm install libsql, or use Node.js 22.13 or later`;
  throw new ExopoolError('EXOPOOL_UNSUPPORTED', message);
}

function nodeDriver(): SqliteDriver | undefined {
  const module = withoutWarning(() => process.getBuiltinModule('node:sqlite'));
  if (module === undefined) return undefined;
  const { DatabaseSync } = module as { DatabaseSync: ForeignClass };
  return { name: 'node:sqlite', open: (path) => open(DatabaseSync, path, (database) => database.close()) };
}

function libsqlDriver(): SqliteDriver | undefined {
  try {
    const Libsql = require('libsql') as ForeignClass;
    return { name: 'libsql', open: (path) => open(Libsql, path, closeLibsql) };
  } catch {
    return undefined; // an optional dependency
  }
}

/** libsql keeps a closed file open and locked until all of its statements are garbage-collected. So unlock it first. */
function closeLibsql(database: ForeignDatabase): void {
  try {
    for (const setting of ['journal_mode = DELETE', 'locking_mode = NORMAL', 'user_version'])
      database.prepare(`PRAGMA ${setting}`).all();
  } catch {
    // Another process has the lock, or the file is damaged: there is no lock to release.
  }
  database.close();
}

function open(
  Database: ForeignClass,
  path: string,
  close: (database: ForeignDatabase) => void,
): SqliteDatabase {
  const database = new Database(path, { timeout: 0 });
  return {
    exec: (sql) => {
      database.exec(sql);
    },
    prepare: (sql) => {
      const statement = database.prepare(sql);
      statement.setReadBigInts?.(true);
      statement.safeIntegers?.(true);
      return statement;
    },
    close: () => {
      close(database);
    },
  };
}

/** Suppresses the warning of Node.js 22 that its SQLite is experimental. Other warnings pass. */
function withoutWarning<T>(load: () => T): T {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- put back as it was, and applied to process
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).startsWith('SQLite is an experimental feature')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** SQLite's primary result codes that the broker tells apart. */
const resultCodes: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  8: 'SQLITE_READONLY',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
};
const primaryCodeMask = 0xff;

/** The name of the result code that SQLite failed with, or undefined when `error` is not SQLite's. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  if (typeof errcode === 'number') return resultCodes[errcode & primaryCodeMask] ?? `SQLite error ${errcode}`;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}
