/**
 * Opens the tables of a store, and replays the writes that only the logs have.
 *
 * A writer holds the lock, so nothing changes meanwhile. If the logs exceed a memtable, it flushes during the replay; the
 * logs stay as long as a later crash may need them. A reader has no lock: between two of its steps a writer may flush a
 * log to a table and remove it. So the reader opens everything that the manifest names, and then checks that the manifest
 * is still the same. Open files stay readable even if they are removed.
 */
import { ExopoolError } from '@exopool/shared';
import { Compactor } from './compaction/compactor.js';
import type { LogEnd } from './log/log-format.js';
import type { LoggedBatch } from './log/log-reader.js';
import { Logs } from './log/logs.js';
import { encodeManifest, readManifest, type Manifest } from './tables/manifest.js';
import { Memtables } from './write/memtable.js';
import type { TableSet } from './tables/table-set.js';
import { stopTables } from './compaction/write-pressure.js';

/** How often a reader tries again after it lost the race against a writer. */
const openAttemptsMax = 10;

/** What a store starts with. */
export interface Recovered {
  readonly memtables: Memtables;
  /** The end of the last log. */
  readonly previous: LogEnd;
  /** The number of the next log. */
  readonly next: number;
}

/** For the holder of the lock. @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_NOT_FOUND`, `EXOPOOL_VERSION`. */
export async function recoverToWrite(
  folder: string,
  manifest: Manifest,
  tables: TableSet,
  memtableBytes: number,
): Promise<Recovered> {
  await tables.open(manifest);
  const logs = await Logs.open(folder, manifest.log);
  try {
    const memtables = new Memtables();
    const previous = await logs.replay((batch) => {
      apply(memtables, batch);
      return memtables.bytes < memtableBytes ? undefined : spill(tables, memtables);
    });
    await logs.sync();
    return { memtables, previous, next: logs.next(manifest.log) };
  } finally {
    await logs.close();
  }
}

/** For a reader: it writes nothing. @throws ExopoolError as {@link recoverToWrite}. */
export async function recoverToRead(folder: string, found: Manifest, tables: TableSet): Promise<Recovered> {
  let manifest = found;
  for (let attempt = 1; ; attempt += 1) {
    let logs: Logs | undefined;
    let failure: unknown;
    try {
      await tables.open(manifest);
      logs = await Logs.open(folder, manifest.log);
    } catch (error) {
      failure = error;
    }
    const latest = await readManifest(folder).catch(async (error: unknown) => {
      await logs?.close();
      throw error;
    });
    const isCurrent = latest === undefined || encodeManifest(latest) === encodeManifest(manifest);
    if (logs !== undefined && isCurrent) return replayToRead(logs, manifest);
    await logs?.close();
    if (isCurrent) throw failure;
    if (attempt === openAttemptsMax) throw tooBusy(folder, failure);
    manifest = latest;
  }
}

async function replayToRead(logs: Logs, manifest: Manifest): Promise<Recovered> {
  try {
    const memtables = new Memtables();
    const previous = await logs.replay((batch) => apply(memtables, batch));
    return { memtables, previous, next: logs.next(manifest.log) };
  } finally {
    await logs.close();
  }
}

function apply(memtables: Memtables, { payload, count }: LoggedBatch): undefined {
  memtables.apply(payload, count);
}

/** Flushes during the replay. The logs still count, because the last one has not been read to its end. */
async function spill(tables: TableSet, memtables: Memtables): Promise<void> {
  if (tables.tables.length >= stopTables) await new Compactor(tables, Infinity).mergeAll();
  const frozen = memtables.freeze();
  try {
    const dropTombstones = tables.tables.length === 0;
    const added = await tables.make({ memtables: [frozen] }, { dropTombstones });
    await tables.change({ added, onSwitch: () => memtables.dropFrozen() });
  } finally {
    memtables.thaw();
  }
}

function tooBusy(folder: string, cause: unknown): ExopoolError {
  const message = `the store in ${folder} changed ${openAttemptsMax} times while it was being opened; try again`;
  return new ExopoolError('EXOPOOL_IO', message, { cause });
}
