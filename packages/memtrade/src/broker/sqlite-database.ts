/** Opens the broker's SQLite file: for one process, at the right schema version, with errors as ExopoolErrors. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExopoolError, toExopoolError, type ErrorCode } from '@exopool/shared';
import { sqliteCode, sqliteDriver, type SqliteDatabase, type SqliteDriver } from './sqlite-driver.js';
import { applicationId, pruneIndexes, schema, schemaVersion } from './sqlite-schema.js';

/** @throws ExopoolError `EXOPOOL_LOCKED`, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`, or the code of a file system error. */
export function openDatabase(path: string, driver: SqliteDriver = sqliteDriver()): SqliteDatabase {
  let database: SqliteDatabase | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    // Does not wait for a lock: its owner holds it until that process ends.
    database = driver.open(path);
    pragma(database, 'locking_mode = EXCLUSIVE');
    pragma(database, 'journal_mode = WAL');
    pragma(database, 'synchronous = FULL');
    pragma(database, 'foreign_keys = ON');
    migrate(database, path);
    database.exec(pruneIndexes);
    return database;
  } catch (error) {
    database?.close();
    throw sqliteError(error, path);
  }
}

/** The result of `PRAGMA text`: the first column of the first row. */
function pragma(database: SqliteDatabase, text: string): unknown {
  const [row] = database.prepare(`PRAGMA ${text}`).all();
  return Object.values(row ?? {})[0];
}

/** Runs `work` in a transaction that takes the write lock first, and rolls it back when `work` throws. */
export function inTransaction<T>(database: SqliteDatabase, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Rolls back. After some errors, such as a full disk, SQLite has already done so. */
function rollBack(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK');
  } catch (error) {
    if (!/no transaction is active/.test(String(error))) throw error;
  }
}

function migrate(database: SqliteDatabase, path: string): void {
  const id = Number(pragma(database, 'application_id'));
  const version = Number(pragma(database, 'user_version'));
  const isEmpty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').all().length === 0;
  if (isEmpty && id === 0) {
    inTransaction(database, () => {
      database.exec(schema);
      pragma(database, `application_id = ${applicationId}`);
      pragma(database, `user_version = ${schemaVersion}`);
    });
    return;
  }
  if (id !== applicationId) {
    throw new ExopoolError(
      'EXOPOOL_CORRUPT',
      `${path} is not a broker's database: move it away, or give another folder`,
    );
  }
  if (version > schemaVersion) {
    const message = `${path} has schema ${version}, this program knows ${schemaVersion}: use the newer program`;
    throw new ExopoolError('EXOPOOL_VERSION', message);
  }
  const check = String(pragma(database, 'quick_check(1)'));
  if (check !== 'ok')
    throw new ExopoolError('EXOPOOL_CORRUPT', `${path} is damaged: ${check}; restore a copy of it`);
}

const sqliteCodes: readonly (readonly [prefix: string, code: ErrorCode, advice: string])[] = [
  ['SQLITE_BUSY', 'EXOPOOL_LOCKED', 'another broker uses it; one broker a folder'],
  ['SQLITE_NOTADB', 'EXOPOOL_CORRUPT', 'it is no database: restore a copy, or give another folder'],
  ['SQLITE_CORRUPT', 'EXOPOOL_CORRUPT', 'it is damaged: restore a copy of it'],
  ['SQLITE_FULL', 'EXOPOOL_NO_SPACE', 'the disk is full; nothing that was there before is lost'],
  ['SQLITE_READONLY', 'EXOPOOL_PERMISSION', 'it cannot be written'],
  ['SQLITE_CANTOPEN', 'EXOPOOL_PERMISSION', 'it cannot be opened; check the rights of its folder'],
];

/** The ExopoolError for an error that SQLite threw about `path`. An {@link ExopoolError} is returned unchanged. */
export function sqliteError(error: unknown, path: string): ExopoolError {
  const result = sqliteCode(error);
  if (result === undefined) return toExopoolError(error, `cannot use ${path}`);
  const known = sqliteCodes.find(([prefix]) => result.startsWith(prefix));
  const [, code, advice] = known ?? ['', 'EXOPOOL_IO' as const, result];
  return new ExopoolError(code, `${path}: ${advice} (${(error as Error).message})`, { cause: error });
}
