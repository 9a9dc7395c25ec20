/** A table file of a store, in its own folder, for lookups by programs in guests. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Store } from '@exopool/bpf-storage';

export interface TestTable {
  /** The table's file. */
  readonly path: string;
  /** The folder of the file. Tests may add other files. */
  readonly folder: string;
  remove(): void;
}

/** Values have 0 to 39 bytes. One in 500 has its own pages. */
function* records(entries: number, keyOf: (i: number) => string): Generator<[string, Buffer]> {
  for (let i = 0; i < entries; i += 1) yield [keyOf(i), Buffer.alloc(i % 500 === 0 ? 3000 : i % 40, i)];
}

/** @param keyOf must ascend; by default it returns the keys that the guest programs look up */
export async function makeTable(
  entries: number,
  keyOf = (i: number): string => `key/${String(i).padStart(8, '0')}`,
): Promise<TestTable> {
  const folder = mkdtempSync(path.join(tmpdir(), 'exopool-table-'));
  const store = await Store.open(path.join(folder, 'store'));
  await store.load(records(entries, keyOf));
  await store.close();
  const name = readdirSync(path.join(folder, 'store')).find((file) => file.endsWith('.table'))!;
  return {
    path: path.join(folder, 'store', name),
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
