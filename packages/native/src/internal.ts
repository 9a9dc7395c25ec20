/**
 * What the packages of exopool use of this one, beside its index: parts of the store, the slab protocol, the sealed cache,
 * the block device, and what a producer needs of the machine. It may change with every version.
 */
export { numberTypes, sealModes, tableEngines } from './contracts.js';
export { buildCommand } from './load-binding.js';
export { crc32c } from './table/checksum.js';
export { TableFile, type TableFileOptions } from './table/table-file.js';
export { batchEntries, Memtable, type MemtableHandle } from './table/memtable.js';
export {
  BatchScan,
  scanBatches,
  scanTotals,
  type NumberType,
  type ScanBatch,
  type ScanBound,
  type ScanRange,
  type ScanSources,
  type ScanTotals,
} from './table/table-scan.js';
export { SortedRun } from './table/sorted-run.js';
export { TableWrite, type TableWriteOptions, type WrittenTable } from './table/table-job.js';
export { filterMiss } from './table/table-filter.js';
export { StoreIndex, notInMemory, type IndexedTable, type StoreIndexOptions } from './table/store-index.js';
export type { LookupCounters, LoopCounters, StoreIndexStats, TableHeader } from './table/table-binding.js';
export {
  driverCounters,
  type DriverCounters,
  type DriverEnd,
  type DriverMode,
} from './table/driver-support.js';
export { loopCounters } from './table/loop-support.js';
export { releasePin } from './machine/release-pin.js';
export {
  TraversalFile,
  traversalSourceFolder,
  type TraversalCounters,
  type TraversalEnd,
  type TraversalOpening,
  type TraversalOutcome,
} from './table/traversal-file.js';

export {
  SlabServer,
  type LeaseRates,
  type SlabLease,
  type SlabServerOptions,
  type SlabServerStats,
} from './slab/slab-server.js';
export { SlabSession, type SlabRange, type SlabWrite } from './slab/slab-client.js';
export type { SlabSessionOptions } from './slab/slab-session-options.js';
export type { LossReason } from './slab/slab-outcome.js';
export { loadSlabServer, type SlabLoadOptions, type SlabLoadResult } from './slab/slab-load.js';
export {
  SealedCache,
  tamperedMax,
  type SealedCacheOptions,
  type SealedCacheStats,
  type SealMode,
} from './cache/sealed-cache.js';
export {
  NbdDevice,
  nbdPageBytes,
  type NbdDeviceOptions,
  type NbdPlace,
  type NbdStats,
} from './nbd/nbd-device.js';
export type { NbdSession } from './nbd/nbd-session.js';

export { tryLockFile } from './machine/file-lock.js';
export { cgroupProcesses } from './machine/cgroup-removal.js';
export { privateAreas } from './machine/private-areas.js';
export { SwappedPages } from './machine/swapped-pages.js';
export { isRunning, processIdentity, residentBytes, type ProcessIdentity } from './machine/process.js';
export { addSwapFile } from './machine/swap-file.js';
export {
  addZramSwap,
  compactZram,
  readSwapAreas,
  readZramStats,
  zramControl,
  type SwapArea,
  type ZramBackingFile,
  type ZramStats,
  type ZramSwap,
} from './machine/swap.js';
export { addZramDisk } from './machine/zram-disk.js';
export {
  hasZramWriteback,
  readZramBacking,
  readZramReadBytes,
  ZramWriteback,
  type ZramBacking,
} from './machine/zram-writeback.js';
export { enableZswap, hasZswap, readZswapStats, type ZswapStats } from './machine/zswap.js';
