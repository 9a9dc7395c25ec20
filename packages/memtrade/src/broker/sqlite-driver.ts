/**
 * SQLite without an install script: the one inside Node where there is one (22.13 and later), else `libsql`, whose
 * binaries are in its npm packages.
 *
 * Both are used through the few calls that they have in common. Integers come back as bigint, since an amount of
 * money may exceed 2^53. The file is the same for both, so a broker keeps its state when its Node is replaced.
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
  /** The rows of this statement have bigints for integers. */
  prepare(sql: string): SqliteStatement;
  close(): void;
}

export interface SqliteDriver {
  readonly name: 'node:sqlite' | 'libsql';
  /** Opens a file, or makes it. A lock that another process holds is an error at once. */
  open(path: string): SqliteDatabase;
}

/** A statement of one library or the other: they differ in the name of the method that asks for bigints. */
interface ForeignStatement extends SqliteStatement {
  setReadBigInts?(on: boolean): void;
  safeIntegers?(on: boolean): void;
}
interface ForeignDatabase extends SqliteDatabase {
  prepare(sql: string): ForeignStatement;
}
type ForeignClass = new (path: string, options: { readonly timeout: number }) => ForeignDatabase;

const require = createRequire(import.meta.url);

/** Every driver of this process, the preferred one first. */
export function sqliteDrivers(): SqliteDriver[] {
  return [nodeDriver(), libsqlDriver()].filter((driver) => driver !== undefined);
}

/** @throws ExopoolError `EXOPOOL_UNSUPPORTED` with the one command that helps. */
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

/** libsql keeps a closed file open, with its lock, until the garbage collector has found every statement. */
function closeLibsql(database: ForeignDatabase): void {
  try {
    for (const setting of ['journal_mode = DELETE', 'locking_mode = NORMAL', 'user_version'])
      database.prepare(`PRAGMA ${setting}`).all();
  } catch {
    // Somebody else's lock or a damaged file: nothing to let go of.
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

/** Node 22 says at load that its SQLite is experimental. All else that warns meanwhile is heard. */
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

/** SQLite's primary result codes of which the broker can say something. */
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
