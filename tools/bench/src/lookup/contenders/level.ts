/**
 * The common part of classic-level and the RocksDB binding: both are abstract-level databases, of different versions.
 * Reads run in Node's thread pool.
 */
import { inBatches, loadBatchEntries, type Entry, type Reader, type Session } from './contender.js';

export interface LevelDatabase {
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: unknown): Promise<Uint8Array | undefined>;
  getMany(keys: readonly unknown[]): Promise<(Uint8Array | undefined)[]>;
  getSync?(key: unknown): Uint8Array | undefined;
  batch(
    operations: readonly { type: 'put'; key: unknown; value: Buffer }[],
    options?: { sync?: boolean },
  ): Promise<void>;
  values(options: { gte: unknown; limit: number }): { all(): Promise<Uint8Array[]> };
}

export type ToKey = (bytes: Buffer) => unknown;

/** Writes are not synced, as by default. Only the last one is, and with it the log of all before. */
export async function loadLevel(
  database: LevelDatabase,
  entries: Iterable<Entry>,
  toKey: ToKey,
): Promise<void> {
  let last: Entry[] = [];
  for (const batch of inBatches(entries, loadBatchEntries)) {
    await database.batch(puts(batch, toKey));
    last = batch.slice(-1);
  }
  await database.batch(puts(last, toKey), { sync: true });
  await database.close();
}

export function levelSession(database: LevelDatabase, toKey: ToKey, readers: readonly Reader[]): Session {
  return {
    readers,
    toKey,
    getMany: (keys: readonly unknown[]) => database.getMany(keys),
    range: (from: unknown, limit) => database.values({ gte: from, limit }).all(),
    update: (entries) => database.batch(puts(entries, toKey), { sync: true }),
    close: () => database.close(),
  };
}

/** abstract-level 1 rejects for an absent key, later ones resolve with undefined. */
export function asyncReader(database: LevelDatabase, rejectsAbsent: boolean): Reader {
  if (!rejectsAbsent) return { api: 'get', kind: 'async', get: (key: unknown) => database.get(key) };
  const get = async (key: unknown): Promise<Uint8Array | undefined> => {
    try {
      return await database.get(key);
    } catch (error) {
      if ((error as { code?: string }).code === 'LEVEL_NOT_FOUND') return undefined;
      throw error;
    }
  };
  return { api: 'get', kind: 'async', get };
}

function puts(entries: readonly Entry[], toKey: ToKey): { type: 'put'; key: unknown; value: Buffer }[] {
  return entries.map(({ key, value }) => ({ type: 'put', key: toKey(key), value }));
}
