/**
 * Point lookups by engine.
 *
 * Workload: 200,000 entries (16-byte keys, 100-byte values, a tree of three levels), keys drawn uniformly, 64 a
 * call, one call at a time, the file in the page cache. Fair: the same table, keys and results for all; what is
 * compared is the way to the page. `pread, every hop` reads interior pages too, as the kernel-side engine does.
 *
 * The second part reads past the page cache (O_DIRECT), so that each lookup is one read of the device: 1, 16 and 128
 * single keys under way at a time, the next asked for when one is answered. Its figures are those of the device at
 * that depth, less what is lost on the way; compare them with `fio --rw=randread --direct=1 --iodepth=N`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, bench, describe } from 'vitest';
import { StoreIndex } from './store-index.js';
import { TableFile } from './table-file.js';
import { tableEngineSupport } from './engine-support.js';
import type { TableEngine } from './table-engine.js';
import { buildTable, type Entry } from '../testing/table.js';

const entryCount = 200_000;
const batchKeys = 64;
const batches = 512;

const folder = mkdtempSync(path.join(tmpdir(), 'exopool-bench-'));
const key = (i: number) => Buffer.from(`key/${String(i * 7919).padStart(12, '0')}`);
const entries = Array.from({ length: entryCount }, (_, i): Entry => [key(i), Buffer.alloc(100, i)]);
const file = path.join(folder, 'table');
writeFileSync(file, buildTable(entries, { slotsPerPage: 32 }));

// A small linear congruential generator: the same keys in every run.
let state = 1;
const next = () => (state = (state * 48_271) % 2_147_483_647) % entryCount;
const requests = Array.from({ length: batches }, () => Array.from({ length: batchKeys }, () => key(next())));

const cached = TableFile.open(file);
const direct = TableFile.open(file, { direct: true });
const uncached = TableFile.open(file, { cacheInterior: false });
afterAll(() => {
  cached.close();
  direct.close();
  uncached.close();
  rmSync(folder, { recursive: true });
});

const available = new Set(
  tableEngineSupport()
    .filter((s) => s.available)
    .map((s) => s.engine),
);

describe('64 lookups in a warm file', () => {
  const contender = (name: string, table: TableFile, engine: TableEngine) => {
    let turn = 0;
    bench.runIf(available.has(engine))(name, async () => {
      await table.lookupMany(requests[(turn += 1) % batches]!, engine);
    });
  };
  contender('pread, interior pages cached', cached, 'pread');
  contender('pread, every hop', uncached, 'pread');
  contender('page-cache-bpf', cached, 'page-cache-bpf');
});

const index = new StoreIndex({ cacheBytes: 0 });
index.setTables([{ file: direct, smallestKey: key(0), largestKey: Buffer.alloc(1, 255) }]);

/** Looks up `count` keys, `inFlight` at a time. */
async function lookUp(count: number, inFlight: number, engine: TableEngine): Promise<void> {
  index.setEngines([engine]);
  let left = count;
  const reader = async (): Promise<void> => {
    while ((left -= 1) >= 0) await index.get(key(next()));
  };
  await Promise.all(Array.from({ length: inFlight }, reader));
}

describe.each([1, 16, 128])('1024 cold lookups, %d in flight', (inFlight) => {
  for (const engine of ['pread', 'io-uring'] as const) {
    bench.runIf(available.has(engine))(engine, () => lookUp(1024, inFlight, engine));
  }
});
