/**
 * How fast a store is loaded, looked up and scanned.
 *
 * Workload: 200,000 entries, keys of 16 bytes in random order, values of 100 bytes; the table (some 26 MB) is warm in
 * the page cache, and there is no row cache, so each lookup walks the table. The engines look up the same keys from
 * the same table. `pread` is measured past the page cache (the default) and through it: the second is the fair
 * comparison for `page-cache-bpf`, which reads from the page cache as well.
 *
 * Cold lookups read past the page cache (O_DIRECT), one page of the device each: 1, 16 and 128 calls of `get` under
 * way at a time, the next made when one returns. Cached rows are read from memory, by the same thread.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, bench, describe } from 'vitest';
import { Store } from './store.js';
import { support } from './testing/table.js';

const entryCount = 200_000;
const batchSize = 64;
const folder = mkdtempSync(join(tmpdir(), 'exopool-bench-'));
const value = Buffer.alloc(100, 'v');

const keyOf = (index: number): Buffer =>
  Buffer.from(`key ${String((index * 7919) % entryCount).padStart(12, '0')}`);

function* entries(count: number): Generator<readonly [Buffer, Buffer]> {
  for (let index = 0; index < count; index += 1) yield [keyOf(index), value];
}

const filling = await Store.open(folder);
await filling.load(entries(entryCount));
await filling.close();
const stores = {
  buffered: await Store.open(folder, { readOnly: true, cacheBytes: 0, engine: 'pread', direct: false }),
  direct: await Store.open(folder, { readOnly: true, cacheBytes: 0, engine: 'pread' }),
  cached: await Store.open(folder, { readOnly: true }),
};

afterAll(async () => {
  for (const store of Object.values(stores)) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

let next = 0;
function someKeys(): Buffer[] {
  next += 1;
  return Array.from({ length: batchSize }, (_, index) => keyOf(next * batchSize + index * 31));
}

describe(`getMany of ${batchSize} keys, warm`, () => {
  bench('pread past the page cache', async () => {
    stores.direct.setEngine('pread');
    await stores.direct.getMany(someKeys());
  });
  bench('pread through the page cache', async () => {
    stores.buffered.setEngine('pread');
    await stores.buffered.getMany(someKeys());
  });
  if (support.some(({ engine, available }) => engine === 'page-cache-bpf' && available)) {
    bench('page-cache-bpf', async () => {
      stores.buffered.setEngine('page-cache-bpf');
      await stores.buffered.getMany(someKeys());
    });
  }
});

describe.each([1, 16, 128])('1024 cold gets, %d in flight', (inFlight) => {
  const readAll = async (): Promise<void> => {
    let left = 1024;
    const reader = async (): Promise<void> => {
      while ((left -= 1) >= 0) await stores.direct.get(keyOf((next += 31)));
    };
    await Promise.all(Array.from({ length: inFlight }, reader));
  };
  for (const engine of ['pread', 'io-uring'] as const) {
    if (!support.some((candidate) => candidate.engine === engine && candidate.available)) continue;
    bench(engine, async () => {
      stores.direct.setEngine(engine);
      await readAll();
    });
  }
});

describe('1024 gets of cached rows', () => {
  const keys = Array.from({ length: 1024 }, (_, index) => keyOf(index * 31));
  bench('getSync', () => {
    for (const key of keys) stores.cached.getSync(key);
  });
  bench('get', async () => {
    for (const key of keys) await stores.cached.get(key);
  });
  bench('getMany', async () => {
    await stores.cached.getMany(keys);
  });
});

describe('range', () => {
  bench(`all ${entryCount} entries`, async () => {
    let bytes = 0;
    for await (const [key, found] of stores.direct.range()) bytes += key.length + found.length;
    if (bytes !== entryCount * 116) throw new Error('the scan is not complete');
  });
});

describe('load', () => {
  bench(
    `${entryCount} entries of 116 B in random order`,
    async () => {
      const target = mkdtempSync(join(tmpdir(), 'exopool-bench-'));
      try {
        await using store = await Store.open(target);
        await store.load(entries(entryCount));
      } finally {
        rmSync(target, { recursive: true, force: true });
      }
    },
    { iterations: 5, time: 0 },
  );
});
