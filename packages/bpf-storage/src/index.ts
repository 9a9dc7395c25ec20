/**
 * An embedded, ordered key-value store that keeps its speed when the data no longer fits in memory: index lookups can
 * run inside the kernel, and leased memory of other machines can stand between memory and disk.
 *
 * {@link Store} is the whole of it for most programs. The table file has a format of its own, described byte by byte in
 * docs/table-format.md; {@link verifyTable} and {@link scanTable} read one without a store.
 */
export { Store } from './store.js';
export type { Codec, Decoded, Encoding, EncodingOf, Found } from './codec.js';
export type { EncodingChoice } from './entry-codec.js';
export type { Aggregate, NumberField } from './aggregate.js';
export type { CompactOptions } from './compaction/compactor.js';
export type { Snapshot } from './snapshot.js';
export type { StoreStats } from './store-stats.js';
export type { KeyRangeOptions, RangeOptions, StoreOptions, WriteOptions } from './store-options.js';
export type { BatchOperation } from './write/write.js';
export type { Bytes } from './format/row-key.js';
export type { ReadsByTier } from './read/read-path.js';
export type { LookupsByEngine } from './tables/open-table.js';
export type { TierGateCounters } from './read/tier-gate.js';
export type { LoadProgress } from './base/progress-meter.js';
export type { LoadEntries, LoadOptions, LoadResult } from './write/load.js';
export {
  chooseEngine,
  dispatchLevels,
  engineNames,
  type EngineName,
  type EngineSituation,
} from './tables/engine.js';
export { Traversal, type TraversalOptions, type TraversalResult } from './traversal/traversal.js';
export { buildTraversal, type BuiltTraversal } from './traversal/traversal-bundle.js';
export { sqliteRowInput, sqliteTable, type SqliteTable } from './traversal/sqlite-table.js';
export { verifyTable, type VerifyProblem, type VerifyReport } from './verify/table-verify.js';
export { getFromTable, type PageSource } from './tables/table-reader.js';
export { scanTable } from './tables/reference-scan.js';
export type { Bound, KeyRange } from './format/key-range.js';
export { tombstone, type Entry, type Tombstone } from './format/entry.js';
export { EXO_KEY_MAX as keyBytesMax, EXO_VALUE_MAX as valueBytesMax } from './format/format.js';
