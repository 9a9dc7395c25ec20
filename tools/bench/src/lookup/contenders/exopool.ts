/** exopool by its public API. Memory settings follow from the limit, by the rule that a user would apply. */
import { Store } from '@exopool/bpf-storage';
import { MiB } from '@exopool/shared';
import type { Contender, Entry, Reader, Session, Settings } from './contender.js';

/** Memory for Node.js, its heap, and buffers of reads and writes in flight. */
const processBytes = 64 * MiB;
/** Interior pages are about 1 % of the data. */
const interiorShare = 1 / 64;
const memtableBytesMax = 32 * MiB;
const memtableBytesMin = 2 * MiB;
/** Allocators and the garbage collector need more than the budgeted bytes. */
const cacheShare = 3 / 4;

/** Memory for the store when its process may use `memoryBytes`, page cache included. */
export function memorySettings({ memoryBytes, dataBytes }: Pick<Settings, 'memoryBytes' | 'dataBytes'>): {
  cacheBytes: number;
  memtableBytes: number;
} {
  const memtableBytes = Math.round(Math.min(memtableBytesMax, Math.max(memtableBytesMin, memoryBytes / 32)));
  const rest = memoryBytes - processBytes - 2 * memtableBytes - dataBytes * interiorShare;
  return { memtableBytes, cacheBytes: Math.max(0, Math.round(rest * cacheShare)) };
}

export const exopool: Contender = {
  name: 'exopool',
  store: 'exopool',
  configuration: 'ours',
  description: 'cacheBytes and memtableBytes from the limit, all else as it is by default',
  loadApi: 'store.load',
  async load(entries, settings) {
    await using store = await Store.open(settings.folder, memorySettings(settings));
    // A load sorts in runs. They get the memory of the cache.
    const runBytes = Math.max(MiB, Math.min(64 * MiB, memorySettings(settings).cacheBytes));
    await store.load(pairs(entries), { runBytes });
  },
  async open(settings): Promise<Session> {
    const store = await Store.open(settings.folder, memorySettings(settings));
    const readers: Reader[] = [
      { api: 'get', kind: 'async', get: (key: Buffer) => store.get(key) },
      { api: 'getSync', kind: 'sync', get: (key: Buffer) => store.getSync(key) },
    ];
    return {
      readers,
      toKey: (bytes) => bytes,
      getMany: (keys: readonly Buffer[]) => store.getMany(keys),
      async range(from: Buffer, limit) {
        const values: Buffer[] = [];
        for await (const [, value] of store.range({ gte: from, limit })) values.push(value);
        return values;
      },
      async update(writes) {
        await store.batch(
          writes.map(({ key, value }) => ({ type: 'put', key, value }) as const),
          { sync: true },
        );
      },
      close: () => store.close(),
    };
  },
};

function* pairs(entries: Iterable<Entry>): Generator<readonly [Buffer, Buffer]> {
  for (const { key, value } of entries) yield [key, value];
}
