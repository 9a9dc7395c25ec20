/**
 * classic-level, LevelDB. It has Bloom filters of 10 bits a key and Snappy compression by default.
 *
 * tuned, from its README: `cacheSize`; `writeBufferSize`, as "larger values increase performance, especially during
 * bulk loads"; `maxFileSize`, for populating a large database; `maxOpenFiles`, so that all files stay open; `getSync`
 * where data is in memory. Its thread pool is as large as the most reads in flight.
 */
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { MiB } from '@exopool/shared';
import { loadBatchEntries, type Contender, type Reader, type Settings } from './contender.js';
import { asyncReader, levelSession, loadLevel, type LevelDatabase, type ToKey } from './level.js';

function contender(
  base: Pick<Contender, 'name' | 'configuration' | 'description' | 'threads'>,
  optionsFor: (settings: Settings) => object,
  toKey: ToKey,
): Contender {
  const openIn = async (settings: Settings): Promise<LevelDatabase> => {
    const path = join(settings.folder, 'level');
    const database = new ClassicLevel(path, optionsFor(settings)) as unknown as LevelDatabase;
    await database.open();
    return database;
  };
  return {
    ...base,
    store: 'classic-level',
    loadApi: `batch of ${loadBatchEntries}`,
    load: async (entries, settings) => loadLevel(await openIn(settings), entries, toKey),
    async open(settings) {
      const database = await openIn(settings);
      const readers: Reader[] = [asyncReader(database, false)];
      if (base.configuration === 'tuned') {
        readers.push({ api: 'getSync', kind: 'sync', get: (key: unknown) => database.getSync?.(key) });
      }
      return levelSession(database, toKey, readers);
    },
  };
}

export const classicLevelDefault = contender(
  {
    name: 'classic-level default',
    configuration: 'default',
    description: "new ClassicLevel(path, { valueEncoding: 'buffer' }), text keys, as its first example",
  },
  () => ({ valueEncoding: 'buffer' }),
  (bytes) => bytes.toString('latin1'),
);

/** A quarter of the memory is for uncompressed blocks. The rest is page cache for the compressed files. */
const cacheShare = 1 / 4;

export const classicLevelTuned = contender(
  {
    name: 'classic-level tuned',
    configuration: 'tuned',
    description:
      'cacheSize 1/4 of memory, writeBufferSize, maxFileSize 16 MiB, maxOpenFiles 8000; get with 128 threads, or getSync',
    threads: 128,
  },
  ({ memoryBytes }) => ({
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: Math.round(memoryBytes * cacheShare),
    writeBufferSize: Math.round(Math.min(16 * MiB, memoryBytes / 16)),
    maxFileSize: 16 * MiB,
    maxOpenFiles: 8000,
  }),
  (bytes) => bytes,
);
