/**
 * The interface of every contender. An adapter is as thin as possible: it calls the store's own API as the store's
 * documentation advises. The store must not reuse the returned buffers, since values belong to the reader.
 */
export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** One way to read a key. If a store has several, the suite tries each and takes the fastest for each workload. */
export type Reader =
  | { readonly api: string; readonly kind: 'sync'; get(key: never): Uint8Array | undefined }
  | { readonly api: string; readonly kind: 'async'; get(key: never): Promise<Uint8Array | undefined> };

export interface Session {
  /** At least one. */
  readonly readers: readonly Reader[];
  /** Converts a key to the form that this store takes fastest. Called before the clock starts. */
  toKey(bytes: Buffer): unknown;
  getMany(keys: readonly never[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** The values of the `limit` entries from `from` on. */
  range(from: never, limit: number): Promise<readonly Uint8Array[]>;
  /** Writes all. Resolves once they would survive a loss of power. */
  update(entries: readonly Entry[]): Promise<void>;
  close(): Promise<void>;
}

export interface Settings {
  /** The contender's own folder, which exists. */
  readonly folder: string;
  /** Memory limit of the process, including the page cache. */
  readonly memoryBytes: number;
  /** Bytes of keys and values in the data set. */
  readonly dataBytes: number;
}

export type Configuration = 'ours' | 'default' | 'tuned';

export interface Contender {
  /** Such as "lmdb tuned". */
  readonly name: string;
  readonly store: string;
  readonly configuration: Configuration;
  /** One line with the settings. */
  readonly description: string;
  /** The call that loads the data. */
  readonly loadApi: string;
  /** UV_THREADPOOL_SIZE, if the store reads in Node's thread pool. */
  readonly threads?: number;
  /** Fills an empty folder. Resolves once the data would survive a loss of power and no background work is left. */
  load(entries: Iterable<Entry>, settings: Settings): Promise<void>;
  open(settings: Settings): Promise<Session>;
}

/** Entries in a batch of a load, if the store takes batches. */
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
