/**
 * The one contract between the store and leased memory: a cache that may lose anything at any time.
 *
 * Keys and values are bytes. A lost producer, an expired lease or a failed seal is a miss, never an error. Every call
 * ends, also when nobody answers: writes wait for deletions. A store detaches a tier that takes 10 s over a call.
 */
export interface CacheTier {
  /** One result a key, in order; `undefined` is a miss. */
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>;
  /**
   * Whether a `getMany` of `key` could find it, answered at once from what is known locally. The reader then starts on
   * its slower path without waiting for the tier. A tier without this is always asked.
   */
  mayHold?(key: Buffer): boolean;
  /** Best effort: an entry that does not fit, or has nowhere to go, is dropped and counted. */
  putMany(entries: readonly (readonly [key: Buffer, value: Buffer])[]): Promise<void>;
  /** Resolves only once no later `getMany` can return a value that these keys had before the call. */
  deleteMany(keys: readonly Buffer[]): Promise<void>;
  stats(): CacheTierStats;
}

/** Counters since the tier was made, and its size now. */
export interface CacheTierStats {
  readonly hits: number;
  readonly misses: number;
  readonly puts: number;
  /** Entries that were not admitted: too large, or no space was leased. */
  readonly rejected: number;
  /** Entries pushed out to make room. */
  readonly evictions: number;
  /** Values discarded because their seal did not verify; each is also a miss. */
  readonly tampered: number;
  readonly entries: number;
  /** Bytes of values held, without overhead. */
  readonly bytes: number;
  /** Bytes that could be held now. */
  readonly capacityBytes: number;
}
