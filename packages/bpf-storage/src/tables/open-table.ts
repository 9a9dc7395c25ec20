/**
 * A table file in use. Compaction may replace it while scans, snapshots and backups still read it, so its users are
 * counted: the store is one, each scan, snapshot or backup is another. When the last user releases a table that was
 * replaced, the table is closed and its file removed.
 */
import { join } from 'node:path';
import type { EngineSupport, TableEngine } from '@exopool/native';
import { tableEngines, TableFile, type LookupCounters } from '@exopool/native/internal';
import { EngineSelector } from './engine.js';
import type { ManifestTable } from './manifest.js';
import { corrupt } from '../format/page-view.js';
import type { KeyRange } from '../format/key-range.js';

/** Lookups by each engine, including those in tables that are closed by now. */
export type LookupsByEngine = Readonly<Record<TableEngine, LookupCounters>>;

/** What all open tables of a store share. */
export interface OpenTableOptions {
  readonly folder: string;
  readonly direct: boolean;
  readonly support: readonly EngineSupport[];
  /** Called when the table closes. @param isObsolete the file is not needed any more. */
  onClose(table: OpenTable, isObsolete: boolean): void;
}

/** An open table file, and the number of its users. */
export class OpenTable {
  readonly engines: EngineSelector;
  #users = 1;
  #isObsolete = false;

  private constructor(
    readonly entry: ManifestTable,
    readonly file: TableFile,
    private readonly options: OpenTableOptions,
  ) {
    this.engines = new EngineSelector(file, options.support);
  }

  /** @throws ExopoolError as `TableFile.open`, and `EXOPOOL_CORRUPT` if the file is not the one in the manifest. */
  static open(entry: ManifestTable, options: OpenTableOptions): OpenTable {
    const path = join(options.folder, entry.file);
    const file = TableFile.open(path, { direct: options.direct });
    if (tableIdText(file.header.tableId) !== entry.id) {
      file.close();
      throw corrupt(path, 0, 'the table is not the one that MANIFEST names');
    }
    return new OpenTable(entry, file, options);
  }

  get path(): string {
    return this.file.path;
  }

  /** Whether `key` lies between the table's smallest and largest. */
  mayHold(key: Buffer): boolean {
    const { smallestKey, largestKey } = this.entry;
    return Buffer.compare(smallestKey, key) <= 0 && Buffer.compare(key, largestKey) <= 0;
  }

  overlaps({ lower, upper }: KeyRange): boolean {
    const { smallestKey, largestKey } = this.entry;
    const isBelow = lower !== undefined && Buffer.compare(largestKey, lower.key) < 0;
    const isAbove = upper !== undefined && Buffer.compare(smallestKey, upper.key) > 0;
    return !isBelow && !isAbove;
  }

  retain(): this {
    this.#users += 1;
    return this;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.close();
  }

  /** To be called when no durable manifest names the table any more: its last user removes the file. */
  markObsolete(): void {
    this.#isObsolete = true;
  }

  lookups(): LookupsByEngine {
    return byEngine((engine) => this.file.counters(engine));
  }

  /** Closes the table even if it has users: their next read rejects with `EXOPOOL_CLOSED`. */
  close(): void {
    this.#users = -1;
    // A pinned file cannot be removed.
    this.file.unpin();
    this.options.onClose(this, this.#isObsolete);
    this.file.close();
  }
}

/** 16 hexadecimal digits. */
export function tableIdText(tableId: bigint): string {
  return tableId.toString(16).padStart(16, '0');
}

export function noLookups(): LookupsByEngine {
  return byEngine(() => ({
    lookups: 0,
    found: 0,
    notFound: 0,
    hops: 0,
    pagesVerified: 0,
    bytesRead: 0,
    onCaller: 0,
    returned: { bound: 0, corrupt: 0, io: 0, stale: 0, straddle: 0 },
  }));
}

export function addLookups(a: LookupsByEngine, b: LookupsByEngine): LookupsByEngine {
  return byEngine((engine) => addCounters(a[engine], b[engine]));
}

function addCounters(a: LookupCounters, b: LookupCounters): LookupCounters {
  return {
    lookups: a.lookups + b.lookups,
    found: a.found + b.found,
    notFound: a.notFound + b.notFound,
    hops: a.hops + b.hops,
    pagesVerified: a.pagesVerified + b.pagesVerified,
    bytesRead: a.bytesRead + b.bytesRead,
    onCaller: a.onCaller + b.onCaller,
    returned: {
      bound: a.returned.bound + b.returned.bound,
      corrupt: a.returned.corrupt + b.returned.corrupt,
      io: a.returned.io + b.returned.io,
      stale: a.returned.stale + b.returned.stale,
      straddle: a.returned.straddle + b.returned.straddle,
    },
  };
}

function byEngine(of: (engine: TableEngine) => LookupCounters): LookupsByEngine {
  return Object.fromEntries(tableEngines.map((engine) => [engine, of(engine)])) as LookupsByEngine;
}
