/**
 * Tables of SQLite databases, for the example `examples/sqlite-rowid.c`. `sqlite3` gives the root page of a table; the
 * header of the file has the page size.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { ExopoolError } from '@exopool/shared';

/** A table in a database file of SQLite. */
export interface SqliteTable {
  /** Number of the root page, from 1. */
  readonly rootPage: number;
  /** Size of a page, bytes: at most 4096. */
  readonly pageSize: number;
  /** Bytes at the end of each page that are reserved for extensions. */
  readonly reserved: number;
}

const magic = 'SQLite format 3\0';
/** Size and fields of the file's header, bytes. */
const headerBytes = 100;
const pageSizeAt = 16;
const reservedAt = 20;
/** A page must lie in one block. */
const pageSizeMax = 4096;
const inputBytes = 20;

/**
 * Looks a table up with the `sqlite3` command. The file must not be written meanwhile. Its write-ahead log must be empty:
 * run `PRAGMA wal_checkpoint(TRUNCATE)` before.
 * @param file path of the database. @param table name of a table with rowids.
 * @throws ExopoolError `EXOPOOL_NOT_FOUND`; `EXOPOOL_INPUT` if the file is not a database; `EXOPOOL_UNSUPPORTED` if its
 * pages exceed 4096 bytes, or without `sqlite3`.
 */
export function sqliteTable(file: string, table: string): SqliteTable {
  const header = readHeader(file);
  if (header.toString('latin1', 0, magic.length) !== magic)
    throw new ExopoolError('EXOPOOL_INPUT', `${file} is not a database of SQLite`);
  const size = header.readUInt16BE(pageSizeAt);
  const pageSize = size === 1 ? 65_536 : size;
  if (pageSize > pageSizeMax) {
    const fix = `sqlite3 FILE 'PRAGMA page_size=${pageSizeMax}; VACUUM'`;
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      `${file} has pages of ${pageSize} bytes, at most ${pageSizeMax} are read; run: ${fix}`,
    );
  }
  return { rootPage: findRoot(file, table), pageSize, reserved: header.readUInt8(reservedAt) };
}

/** The input of `examples/sqlite-rowid.c` for one row, 20 bytes. */
export function sqliteRowInput(table: SqliteTable, rowid: bigint | number): Buffer {
  const input = Buffer.alloc(inputBytes);
  input.writeBigInt64LE(BigInt(rowid), 0);
  input.writeUInt32LE(table.rootPage, 8);
  input.writeUInt32LE(table.pageSize, 12);
  input.writeUInt32LE(table.reserved, 16);
  return input;
}

function readHeader(file: string): Buffer {
  const header = Buffer.alloc(headerBytes);
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    throw new ExopoolError('EXOPOOL_NOT_FOUND', `cannot open ${file}`, { cause: error });
  }
  try {
    readSync(fd, header, 0, headerBytes, 0);
  } finally {
    closeSync(fd);
  }
  return header;
}

function findRoot(file: string, table: string): number {
  const query = `SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = '${table.replaceAll("'", "''")}' AND sql NOT LIKE '%WITHOUT ROWID%'`;
  const { status, error, stdout, stderr } = spawnSync('sqlite3', ['-readonly', '-batch', file, query], {
    encoding: 'utf8',
  });
  if (error !== undefined)
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      'there is no sqlite3; install it: apt-get install sqlite3',
      { cause: error },
    );
  if (status !== 0) throw new ExopoolError('EXOPOOL_INPUT', `${file}: ${stderr.trim()}`);
  const root = Number.parseInt(stdout, 10);
  if (Number.isNaN(root))
    throw new ExopoolError('EXOPOOL_NOT_FOUND', `${file} has no table "${table}" with rowids`);
  return root;
}
