/**
 * @nxtedition/rocksdb, the only maintained binding of RocksDB on the registry. Its package contains the library as a
 * binary. If that does not fit the machine, the contender is left out, with the reason.
 *
 * tuned, from its source and RocksDB's tuning guide: `cacheSize`; `optimize: 'point-lookup'` (a hash index in blocks,
 * Ribbon filters); `parallelism` for compaction; reads in flight on as many threads of Node's pool.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { loadBatchEntries, type Contender, type Settings } from './contender.js';
import { asyncReader, levelSession, loadLevel, type LevelDatabase } from './level.js';

type RocksLevel = new (path: string, options: object) => LevelDatabase;

/** Loaded only when it is used, since it throws if its binary does not fit. */
function rocksLevel(): RocksLevel {
  const require = createRequire(import.meta.url);
  return (require('@nxtedition/rocksdb') as { RocksLevel: RocksLevel }).RocksLevel;
}

function contender(
  base: Pick<Contender, 'name' | 'configuration' | 'description' | 'threads'>,
  optionsFor: (settings: Settings) => object,
): Contender {
  const openIn = async (settings: Settings): Promise<LevelDatabase> => {
    const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' };
    const path = join(settings.folder, 'rocksdb');
    const database = new (rocksLevel())(path, { ...encodings, ...optionsFor(settings) });
    await database.open();
    return database;
  };
  const toKey = (bytes: Buffer): Buffer => bytes;
  return {
    ...base,
    store: 'rocksdb',
    loadApi: `batch of ${loadBatchEntries}`,
    load: async (entries, settings) => loadLevel(await openIn(settings), entries, toKey),
    async open(settings) {
      const database = await openIn(settings);
      return levelSession(database, toKey, [asyncReader(database, true)]);
    },
  };
}

export const rocksdbDefault = contender(
  {
    name: 'rocksdb default',
    configuration: 'default',
    description: 'new RocksLevel(path), keys and values as bytes',
  },
  () => ({}),
);

/** A quarter of the memory is for uncompressed blocks. The rest is page cache for the files. */
const cacheShare = 1 / 4;

export const rocksdbTuned = contender(
  {
    name: 'rocksdb tuned',
    configuration: 'tuned',
    description:
      "cacheSize 1/4 of memory, optimize 'point-lookup', compaction 'level', memtableMemoryBudget 1/8 of memory, parallelism 2; get with 128 threads",
    threads: 128,
  },
  ({ memoryBytes }) => ({
    cacheSize: Math.round(Math.min(memoryBytes * cacheShare, 2 ** 31)),
    optimize: 'point-lookup',
    compaction: 'level',
    parallelism: 2,
    memtableMemoryBudget: Math.round(memoryBytes / 8),
  }),
);
