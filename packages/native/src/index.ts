/**
 * Mechanisms of the operating system behind typed facades; no policy.
 */
export { loadBinding, bindingPlaces, type Binding } from './load-binding.js';
export { crc32c } from './table/checksum.js';
export { tryLockFile } from './machine/file-lock.js';
export {
  TableFile,
  keyMaxBytes,
  pageBytes,
  tableEngineSupport,
  type EngineSupport,
  type TableEngine,
  type TableFileOptions,
} from './table/table-file.js';
export { batchEntries, Memtable, newestView, type MemtableHandle } from './table/memtable.js';
export {
  BatchScan,
  numberTypes,
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
export { filterMiss, keyHash } from './table/table-filter.js';
export { StoreIndex, notInMemory, type IndexedTable, type StoreIndexOptions } from './table/store-index.js';
export type { LookupCounters, LoopCounters, StoreIndexStats, TableHeader } from './table/table-binding.js';
export {
  driverCounters,
  type DriverCounters,
  type DriverEnd,
  type DriverMode,
} from './table/driver-support.js';
export { engineFindings, engineFindingsAt } from './table/engine-findings.js';
export { loopCounters } from './table/loop-support.js';
export { releasePin } from './machine/release-pin.js';
export {
  TraversalFile,
  traversalInputMaxBytes,
  traversalSourceFolder,
  type TraversalCounters,
  type TraversalEnd,
  type TraversalOpening,
  type TraversalOutcome,
} from './table/traversal-file.js';
export {
  MemoryCgroup,
  findMemoryHierarchy,
  type CgroupHierarchy,
  type CgroupSample,
} from './machine/cgroup.js';
export { MemoryCage } from './machine/memory-cage.js';
export { machineCapabilities, type Capability, type CapabilityGroup } from './machine/capabilities.js';
export { Damon, type DamonSettings, type IdleRange } from './machine/damon.js';
export { MachineJournal, defaultStateDir, undoLeftovers } from './machine/journal.js';
export { cgroupProcesses, type Change } from './machine/machine-change.js';
export { pageOut, residentRanges, type AddressRange, type SizedRange } from './machine/page-out.js';
export { privateAreas } from './machine/private-areas.js';
export {
  readMemoryInfo,
  readMemoryPressure,
  type MemoryInfo,
  type MemoryPressure,
} from './machine/memory-info.js';
export {
  watchPressure,
  type PressureTrigger,
  type PressureTriggerOptions,
} from './machine/pressure-trigger.js';
export {
  readMarks,
  traceReads,
  tracedReadsMax,
  type ReadMark,
  type ReadMarks,
  type ReadTrace,
  type ReadTraceOptions,
} from './machine/read-trace.js';
export type { ReadProbe, ReadRoute } from './machine/read-borders.js';
export { addSwapFile } from './machine/swap-file.js';
export { SwappedPages } from './machine/swapped-pages.js';
export { isRunning, processIdentity, residentBytes, type ProcessIdentity } from './machine/process.js';
export { writeInIdleTime } from './machine/idle-write.js';
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
export {
  cacheKeyBytesMax,
  SealedCache,
  sealModes,
  type SealedCacheOptions,
  type SealedCacheStats,
  type SealMode,
  tamperedMax,
} from './cache/sealed-cache.js';
export {
  NbdDevice,
  nbdPageBytes,
  type NbdDeviceOptions,
  type NbdPlace,
  type NbdStats,
} from './nbd/nbd-device.js';
export type { NbdSession } from './nbd/nbd-session.js';
export { nbdSupport, type NbdSupport } from './nbd/nbd-support.js';
export { loadSlabServer, type SlabLoadOptions, type SlabLoadResult } from './slab/slab-load.js';
export {
  SlabServer,
  type LeaseRates,
  type SlabLease,
  type SlabServerOptions,
  type SlabServerStats,
} from './slab/slab-server.js';
export {
  SlabSession,
  slabRangeBytesMax,
  type LossReason,
  type SlabRange,
  type SlabSessionOptions,
  type SlabWrite,
} from './slab/slab-client.js';
