/** Opening the broker's SQLite file: safely, by one process, at the right version; and its errors as ours. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { ExopoolError, toExopoolError, type ErrorCode } from '@exopool/shared';
import { applicationId, pruneIndexes, schema, schemaVersion } from './sqlite-schema.js';

/** @throws ExopoolError `EXOPOOL_LOCKED`, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`, or what the file system says. */
export function openDatabase(path: string): Database.Database {
  let database: Database.Database | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    // No waiting for a lock: whoever has it keeps it as long as it lives.
    database = new Database(path, { timeout: 0 });
    database.defaultSafeIntegers(true);
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    migrate(database, path);
    database.exec(pruneIndexes);
    return database;
  } catch (error) {
    database?.close();
    throw sqliteError(error, path);
  }
}

function migrate(database: Database.Database, path: string): void {
  const id = Number(database.pragma('application_id', { simple: true }));
  const version = Number(database.pragma('user_version', { simple: true }));
  const isEmpty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
  if (isEmpty && id === 0) {
    database.transaction(() => {
      database.exec(schema);
      database.pragma(`application_id = ${applicationId}`);
      database.pragma(`user_version = ${schemaVersion}`);
    })();
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
  const check = String(database.pragma('quick_check(1)', { simple: true }));
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

/** The typed error for what SQLite threw about `path`; an {@link ExopoolError} stays itself. */
export function sqliteError(error: unknown, path: string): ExopoolError {
  if (!(error instanceof Database.SqliteError)) return toExopoolError(error, `cannot use ${path}`);
  const known = sqliteCodes.find(([prefix]) => error.code.startsWith(prefix));
  const [, code, advice] = known ?? ['', 'EXOPOOL_IO' as const, error.code];
  return new ExopoolError(code, `${path}: ${advice} (${error.message})`, { cause: error });
}
