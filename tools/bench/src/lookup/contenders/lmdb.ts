/**
 * lmdb (lmdb-js), a B+-tree in a memory map.
 *
 * tuned, from its README: `encoding: 'binary'` for byte values; `noReadAhead` "may help random read performance when
 * the DB is larger than RAM", with the page size of 4096 that it asks for then; `noMemInit`; for data that is not in
 * memory, `prefetch` and `getMany`, which fault pages in on threads. Its thread pool is as large as the most reads in
 * flight. Loads: puts of one turn share a transaction.
 */
import { join } from 'node:path';
import { open, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb';
import {
  inBatches,
  loadBatchEntries,
  type Contender,
  type Entry,
  type Reader,
  type Session,
} from './contender.js';

/** The queue of puts has no limit, so the load must wait now and then. */
const loadBatchesInFlight = 8;

type Database = RootDatabase<Uint8Array, string | Buffer>;

/** Options of its README that its types lack. */
type Options = Partial<RootDatabaseOptionsWithPath> & { readonly noReadAhead?: boolean };

function contender(
  base: Pick<Contender, 'name' | 'configuration' | 'description' | 'threads'>,
  options: Options,
  toKey: (bytes: Buffer) => string | Buffer,
): Contender {
  const openIn = (folder: string): Database =>
    open<Uint8Array, string | Buffer>({ ...options, path: join(folder, 'lmdb') });
  return {
    ...base,
    store: 'lmdb',
    loadApi: `put, ${loadBatchEntries} in a transaction`,
    async load(entries, { folder }) {
      const database = openIn(folder);
      let batches = 0;
      for (const batch of inBatches(entries, loadBatchEntries)) {
        const written = putAll(database, batch, toKey);
        batches += 1;
        if (batches % loadBatchesInFlight === 0) await written;
      }
      await database.flushed;
      await database.close();
    },
    open({ folder }) {
      return Promise.resolve(session(openIn(folder), toKey, base.configuration === 'tuned'));
    },
  };
}

async function putAll(
  database: Database,
  entries: readonly Entry[],
  toKey: (bytes: Buffer) => string | Buffer,
): Promise<void> {
  let last: Promise<boolean> | undefined;
  for (const { key, value } of entries) last = database.put(toKey(key), value);
  await last;
}

function session(
  database: Database,
  toKey: (bytes: Buffer) => string | Buffer,
  prefetches: boolean,
): Session {
  const get = (key: string | Buffer): Uint8Array | undefined => database.get(key);
  const readers: Reader[] = [{ api: 'get', kind: 'sync', get }];
  if (prefetches) {
    const prefetched = async (key: string | Buffer): Promise<Uint8Array | undefined> => {
      await database.prefetch([key]);
      return database.get(key);
    };
    readers.push({ api: 'prefetch + get', kind: 'async', get: prefetched });
  }
  return {
    readers,
    toKey,
    getMany: (keys: readonly (string | Buffer)[]) => database.getMany([...keys]),
    range(start: string | Buffer, limit) {
      const values: Uint8Array[] = [];
      for (const { value } of database.getRange({ start, limit })) values.push(value);
      return Promise.resolve(values);
    },
    async update(entries) {
      await putAll(database, entries, toKey);
      await database.flushed;
    },
    close: () => database.close(),
  };
}

export const lmdbDefault = contender(
  {
    name: 'lmdb default',
    configuration: 'default',
    description: 'open(path, { compression: true }), text keys, as its first example',
  },
  { compression: true },
  (bytes) => bytes.toString('latin1'),
);

export const lmdbTuned = contender(
  {
    name: 'lmdb tuned',
    configuration: 'tuned',
    description:
      "encoding 'binary', noReadAhead, pageSize 4096, noMemInit; get, or prefetch with 128 threads",
    threads: 128,
  },
  { encoding: 'binary', noReadAhead: true, pageSize: 4096, noMemInit: true },
  (bytes) => bytes.toString('latin1'),
);
