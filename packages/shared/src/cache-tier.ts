/**
 * The contract between the store and leased memory: a cache that may lose anything at any time.
 *
 * Keys and values are bytes. A lost producer, an expired lease or a failed seal is a miss, never an error. Every call must
 * end, even if no producer answers, because writes wait for deletions. A store detaches a tier whose call takes 10 s.
 */
export interface CacheTier {
  /** Returns one result per key, in order; `undefined` is a miss. */
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>;
  /**
   * Returns whether `getMany` could find `key`, from local knowledge and without waiting. If not, a reader goes straight to
   * its slower path. A tier without this method is asked for every key.
   */
  mayHold?(key: Buffer): boolean;
  /** Adds entries. Best effort: the tier drops and counts an entry that does not fit or has no leased space. */
  putMany(entries: readonly (readonly [key: Buffer, value: Buffer])[]): Promise<void>;
  /** Deletes keys. Resolves only once no later `getMany` can return a value that a key had before the call. */
  deleteMany(keys: readonly Buffer[]): Promise<void>;
  /** Returns counters and sizes. */
  stats(): CacheTierStats;
}

/** Counters since the tier was created, and its size now. */
export interface CacheTierStats {
  /** Keys found, and keys not found. */
  readonly hits: number;
  readonly misses: number;
  readonly puts: number;
  /** Entries that were not admitted: they were too large, or no space was leased. */
  readonly rejected: number;
  /** Entries that were evicted to make room. */
  readonly evictions: number;
  /** Values that were discarded because their seal did not verify. Each is also a miss. */
  readonly tampered: number;
  readonly entries: number;
  /** Bytes of the values held, without overhead. */
  readonly bytes: number;
  /** Bytes of values that the tier could hold now. */
  readonly capacityBytes: number;
}
