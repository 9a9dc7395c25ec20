/**
 * better-sqlite3, SQLite called synchronously.
 *
 * tuned: WAL from better-sqlite3's page on performance; from SQLite's own pages, a table WITHOUT ROWID, so that a key
 * is looked up in one tree and not in two (withoutrowid.html), a page of 8 KiB for rows of this size, `mmap_size`
 * over the whole file where memory holds it (mmap.html), and `cache_size`. For reads that wait for the disk, worker
 * threads, as its page on threads advises; the others are made in place.
 *
 * A write is durable with `synchronous = FULL`; the library's own default is NORMAL, which may lose the last ones.
 */
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { KiB, MiB } from '@exopool/shared';
import {
  inBatches,
  loadBatchEntries,
  type Contender,
  type Reader,
  type Session,
  type Settings,
} from './contender.js';
import { openSqlite, selectOne, SqliteReaders } from './sqlite-readers.js';

export interface SqliteOptions {
  readonly schema: string;
  /** In the order of their execution. */
  readonly pragmas: readonly string[];
}

/** Each thread has its own V8, about 10 MiB at its start. Fewer than two threads gain nothing. */
export function readerThreads(memoryBytes: number): number {
  const count = Math.min(8, Math.floor(memoryBytes / (48 * MiB)));
  return count < 2 ? 0 : count;
}

function contender(
  base: Pick<Contender, 'name' | 'configuration' | 'description'>,
  optionsFor: (settings: Settings) => SqliteOptions,
  toKey: (bytes: Buffer) => string | Buffer,
): Contender {
  const pathIn = (folder: string): string => join(folder, 'records.db');
  return {
    ...base,
    store: 'better-sqlite3',
    loadApi: `insert, ${loadBatchEntries} in a transaction`,
    load(entries, settings) {
      const { schema, pragmas } = optionsFor(settings);
      const database = openSqlite(pathIn(settings.folder), pragmas);
      database.exec(schema);
      const insert = database.prepare('INSERT INTO records (key, value) VALUES (?, ?)');
      for (const batch of inBatches(entries, loadBatchEntries)) {
        database.transaction(() => {
          for (const { key, value } of batch) insert.run(toKey(key), value);
        })();
      }
      database.pragma('wal_checkpoint(TRUNCATE)');
      database.close();
      return Promise.resolve();
    },
    open(settings) {
      const { pragmas } = optionsFor(settings);
      const path = pathIn(settings.folder);
      const count = base.configuration === 'tuned' ? readerThreads(settings.memoryBytes) : 0;
      const threads = count === 0 ? undefined : new SqliteReaders(path, pragmas, count);
      return Promise.resolve(session(openSqlite(path, pragmas), toKey, threads));
    },
  };
}

function session(
  database: Database.Database,
  toKey: (bytes: Buffer) => string | Buffer,
  threads: SqliteReaders | undefined,
): Session {
  type Key = string | Buffer;
  const one = database.prepare<[Key], Buffer>(selectOne).pluck();
  const some = database
    .prepare<[Key, number], Buffer>('SELECT value FROM records WHERE key >= ? ORDER BY key LIMIT ?')
    .pluck();
  const replace = database.prepare('REPLACE INTO records (key, value) VALUES (?, ?)');
  const get = (key: Key): Buffer | undefined => one.get(key);
  const readers: Reader[] = [{ api: 'get', kind: 'sync', get }];
  if (threads !== undefined) {
    readers.push({ api: 'get in worker threads', kind: 'async', get: (key: Buffer) => threads.get(key) });
  }
  return {
    readers,
    toKey,
    getMany: (keys: readonly Key[]) => Promise.resolve(keys.map(get)),
    range: (from: Key, limit) => Promise.resolve(some.all(from, limit)),
    update(entries) {
      // The suite's durable writes need a stricter setting than the library's default.
      database.pragma('synchronous = FULL');
      database.transaction(() => {
        for (const { key, value } of entries) replace.run(toKey(key), value);
      })();
      return Promise.resolve();
    },
    async close() {
      await threads?.close();
      database.close();
    },
  };
}

export const betterSqlite3Default = contender(
  {
    name: 'better-sqlite3 default',
    configuration: 'default',
    description:
      'key TEXT PRIMARY KEY, value BLOB; journal_mode = WAL and prepared statements, as its first example',
  },
  () => ({
    schema: 'CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB NOT NULL)',
    pragmas: ['journal_mode = WAL'],
  }),
  (bytes) => bytes.toString('latin1'),
);

/** The file is a little larger than the data. Mapped, it is read in place; where it does not fit, each fault brings
 * in neighbours that push out what is needed. */
const fitFactor = 1.5;
/** The page cache keeps the rest. */
const cacheShare = 1 / 16;

export const betterSqlite3Tuned = contender(
  {
    name: 'better-sqlite3 tuned',
    configuration: 'tuned',
    description:
      'WITHOUT ROWID, page_size 8192, WAL, mmap_size where all fits, cache_size 1/16 of memory; get, or worker threads',
  },
  ({ memoryBytes, dataBytes }) => ({
    schema: 'CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID',
    pragmas: [
      'page_size = 8192',
      'journal_mode = WAL',
      `mmap_size = ${memoryBytes > dataBytes * fitFactor ? dataBytes * fitFactor : 0}`,
      `cache_size = -${Math.round((memoryBytes * cacheShare) / KiB)}`,
    ],
  }),
  (bytes) => bytes,
);
