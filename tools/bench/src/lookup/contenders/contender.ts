/**
 * What the suite asks of every store. An adapter is as thin as it can be: it calls the store's own API in the form that
 * the store's documentation advises for the job, and nothing that it returns is reused by the store, as the values
 * belong to who reads them.
 */
export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** One way to read a key. Where a store has several, the suite tries them and takes the fastest for each workload. */
export type Reader =
  | { readonly api: string; readonly kind: 'sync'; get(key: never): Uint8Array | undefined }
  | { readonly api: string; readonly kind: 'async'; get(key: never): Promise<Uint8Array | undefined> };

export interface Session {
  /** Never empty. */
  readonly readers: readonly Reader[];
  /** The form in which this store takes keys fastest; made before the clock starts. */
  toKey(bytes: Buffer): unknown;
  getMany(keys: readonly never[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** The values of the `limit` entries from `from` on. */
  range(from: never, limit: number): Promise<readonly Uint8Array[]>;
  /** Writes all; resolves once they would survive the loss of power. */
  update(entries: readonly Entry[]): Promise<void>;
  close(): Promise<void>;
}

export interface Settings {
  /** Of the contender's own. It exists. */
  readonly folder: string;
  /** What the process may use in all, page cache included. */
  readonly memoryBytes: number;
  /** Keys and values of the data set. */
  readonly dataBytes: number;
}

export type Configuration = 'ours' | 'default' | 'tuned';

export interface Contender {
  /** "lmdb tuned". */
  readonly name: string;
  readonly store: string;
  readonly configuration: Configuration;
  /** One line: what is set. */
  readonly description: string;
  /** The call that loads the data. */
  readonly loadApi: string;
  /** UV_THREADPOOL_SIZE, where the store reads in Node's thread pool. */
  readonly threads?: number;
  /** Fills an empty folder; resolves once the data would survive the loss of power and no work is left over. */
  load(entries: Iterable<Entry>, settings: Settings): Promise<void>;
  open(settings: Settings): Promise<Session>;
}

/** Loads go in batches of so many entries where the store takes batches. */
export const loadBatchEntries = 1000;

export function* inBatches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
