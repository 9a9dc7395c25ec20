/**
 * An embedded, ordered key-value store that keeps its speed when the data no longer fits in memory: index lookups can
 * run inside the kernel, and leased memory of other machines can stand between memory and disk.
 *
 * {@link Store} is the whole of it for most programs. The table file has a format of its own, described byte by byte in
 * docs/table-format.md; {@link verifyTable} and {@link scanTable} read one without a store.
 */
export { Store } from './store.js';
export type { Codec, Decoded, Encoding, Found } from './codec.js';
export type { Aggregate, NumberField } from './aggregate.js';
export type { CompactOptions } from './compactor.js';
export type { Snapshot } from './snapshot.js';
export type { StoreStats } from './store-stats.js';
export type { KeyRangeOptions, RangeOptions, StoreOptions, WriteOptions } from './store-options.js';
export type { BatchOperation } from './write.js';
export type { Bytes } from './row-key.js';
export type { ReadsByTier } from './read-path.js';
export type { LookupsByEngine } from './open-table.js';
export type { TierGateCounters } from './tier-gate.js';
export type { LoadEntries, LoadOptions, LoadProgress, LoadResult } from './load.js';
export {
  chooseEngine,
  dispatchLevels,
  engineNames,
  type EngineName,
  type EngineSituation,
} from './engine.js';
export { Traversal, type TraversalOptions, type TraversalResult } from './traversal.js';
export { buildTraversal, type BuiltTraversal } from './traversal-bundle.js';
export { sqliteRowInput, sqliteTable, type SqliteTable } from './sqlite-table.js';
export { verifyTable, type VerifyProblem, type VerifyReport } from './table-verify.js';
export { getFromTable, type PageSource } from './table-reader.js';
export { scanTable, type Bound, type KeyRange } from './table-scan.js';
export { tombstone, type Entry, type Tombstone } from './entry.js';
export { EXO_KEY_MAX as keyBytesMax, EXO_VALUE_MAX as valueBytesMax } from './format.js';
