/**
 * What the example `examples/sqlite-rowid.c` needs to know of a table in a database file of SQLite: its root page, from
 * `sqlite3` itself, and the page's size, from the file's header.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { ExopoolError } from '@exopool/shared';

export interface SqliteTable {
  /** Number of the root page, from 1. */
  readonly rootPage: number;
  /** Bytes. */
  readonly pageSize: number;
  /** Bytes at the end of each page that SQLite leaves to extensions. */
  readonly reserved: number;
}

const magic = 'SQLite format 3\0';
/** Where the file's header has what, bytes. */
const headerBytes = 100;
const pageSizeAt = 16;
const reservedAt = 20;
/** A page must lie in one block. */
const pageSizeMax = 4096;
const inputBytes = 20;

/**
 * Looks a table up. The file must not have a write-ahead log with pages that are not in it yet (`PRAGMA
 * wal_checkpoint(TRUNCATE)`), and must not be written meanwhile.
 * @throws `EXOPOOL_NOT_FOUND`, `EXOPOOL_INPUT` (no database), `EXOPOOL_UNSUPPORTED` (pages larger than 4096 bytes; no
 * `sqlite3`)
 */
export function sqliteTable(file: string, table: string): SqliteTable {
  const header = readHeader(file);
  if (header.toString('latin1', 0, magic.length) !== magic)
    throw new ExopoolError('EXOPOOL_INPUT', `${file}: no database of SQLite`);
  const size = header.readUInt16BE(pageSizeAt);
  const pageSize = size === 1 ? 65_536 : size;
  if (pageSize > pageSizeMax) {
    const fix = `sqlite3 FILE 'PRAGMA page_size=${pageSizeMax}; VACUUM'`;
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      `${file}: pages of ${pageSize} bytes; to change that: ${fix}`,
    );
  }
  return { rootPage: findRoot(file, table), pageSize, reserved: header.readUInt8(reservedAt) };
}

/** The input with which `sqlite-rowid.c` finds a row. */
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
    throw new ExopoolError('EXOPOOL_NOT_FOUND', `${file}: cannot be opened`, { cause: error });
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
      'there is no sqlite3; to install it: apt-get install sqlite3',
      { cause: error },
    );
  if (status !== 0) throw new ExopoolError('EXOPOOL_INPUT', `${file}: ${stderr.trim()}`);
  const root = Number.parseInt(stdout, 10);
  if (Number.isNaN(root))
    throw new ExopoolError('EXOPOOL_NOT_FOUND', `${file}: no table "${table}" with rowids`);
  return root;
}
