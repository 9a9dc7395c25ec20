/** One window of lookups by one engine: batches of keys, one call after the other, each answer checked. */
import { posix } from 'node:path';
import { type TableEngine } from '@exopool/native';
import { TableFile } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { dropFromPageCache } from '../machine/cold-files.js';

/** Entries of a table of a depth, as packages/native/measure/deep_table.hh writes them. */
export const fanOut = 3;
const keyBytes = 8;
/** Batches are reused for a while, so that the time to make keys is not measured. */
const batchesMade = 64;

export interface WindowResult {
  readonly batches: number;
  readonly seconds: number;
}

export interface WindowOptions {
  readonly chains: number;
  readonly seconds: number;
  /**
   * Drops the file from the page cache before each batch, for engines that cannot read past it. Mapped pages would
   * stay, so each batch opens the table anew, with no page checked yet. The time for this does not count.
   */
  readonly drops: boolean;
}

export async function lookUpFor(
  table: TableFile,
  engine: TableEngine,
  { chains, seconds, drops }: WindowOptions,
): Promise<WindowResult> {
  const entries = table.header.entries;
  const batches = Array.from({ length: batchesMade }, (_, batch) =>
    makeBatch(batch * chains, chains, entries),
  );
  // Warm up: work that is done once, such as checking a page for the first time.
  for (const { keys, numbers } of drops ? [] : batches)
    check(await table.lookupMany(keys, engine), numbers, table.path);
  let measuredMs = 0;
  let count = 0;
  const endMs = performance.now() + seconds * 1000;
  while (count === 0 || performance.now() < endMs) {
    const { keys, numbers } = batches[count % batchesMade]!;
    const asked = drops ? await openCold(table.path) : table;
    const startMs = performance.now();
    const values = await asked.lookupMany(keys, engine);
    measuredMs += performance.now() - startMs;
    if (drops) asked.close();
    check(values.slice(0, 1), numbers, table.path);
    count += 1;
  }
  return { batches: count, seconds: measuredMs / 1000 };
}

async function openCold(path: string): Promise<TableFile> {
  const table = TableFile.open(path, { cacheInterior: false });
  await dropFromPageCache(posix.dirname(path));
  return table;
}

interface Batch {
  readonly numbers: readonly number[];
  readonly keys: readonly Buffer[];
}

function makeBatch(first: number, count: number, entries: number): Batch {
  const numbers = Array.from(
    { length: count },
    (_, i) => (((first + i) * 2_654_435_761) % 4_294_967_291) % entries,
  );
  return { numbers, keys: numbers.map(keyOf) };
}

function keyOf(number: number): Buffer {
  const key = Buffer.alloc(keyBytes);
  key.writeUIntBE(number, 0, 3);
  return key;
}

function check(
  values: readonly (Buffer | null | undefined)[],
  numbers: readonly number[],
  path: string,
): void {
  values.forEach((value, index) => {
    if (value?.readUIntLE(0, 6) !== numbers[index])
      throw new ExopoolError('EXOPOOL_CORRUPT', `${path}: entry ${numbers[index]!} was answered wrongly`);
  });
}
