/**
 * Mechanisms of the operating system behind typed facades; no policy.
 */
export { loadBinding, bindingPlaces, type Binding } from './load-binding.js';
export { crc32c } from './checksum.js';
export { tryLockFile } from './file-lock.js';
export {
  TableFile,
  keyMaxBytes,
  pageBytes,
  tableEngineSupport,
  type EngineSupport,
  type TableEngine,
  type TableFileOptions,
} from './table-file.js';
export { batchEntries, Memtable, newestView, type MemtableHandle } from './memtable.js';
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
} from './table-scan.js';
export { SortedRun } from './sorted-run.js';
export { TableWrite, type TableWriteOptions, type WrittenTable } from './table-job.js';
export { filterMiss, keyHash } from './table-filter.js';
export { StoreIndex, notInMemory, type IndexedTable, type StoreIndexOptions } from './store-index.js';
export type { LookupCounters, LoopCounters, StoreIndexStats, TableHeader } from './table-binding.js';
export { driverCounters, type DriverCounters, type DriverEnd, type DriverMode } from './driver-support.js';
export { engineFindings, engineFindingsAt } from './engine-findings.js';
export { loopCounters } from './loop-support.js';
export { releasePin } from './release-pin.js';
export {
  TraversalFile,
  traversalInputMaxBytes,
  traversalSourceFolder,
  type TraversalCounters,
  type TraversalEnd,
  type TraversalOpening,
  type TraversalOutcome,
} from './traversal-file.js';
export { MemoryCgroup, findMemoryHierarchy, type CgroupHierarchy, type CgroupSample } from './cgroup.js';
export { MemoryCage } from './memory-cage.js';
export { machineCapabilities, type Capability, type CapabilityGroup } from './capabilities.js';
export { Damon, type DamonSettings, type IdleRange } from './damon.js';
export { MachineJournal, defaultStateDir, undoLeftovers } from './journal.js';
export { cgroupProcesses, type Change } from './machine-change.js';
export { pageOut, residentRanges, type AddressRange, type SizedRange } from './page-out.js';
export { privateAreas } from './private-areas.js';
export { readMemoryInfo, readMemoryPressure, type MemoryInfo, type MemoryPressure } from './memory-info.js';
export { watchPressure, type PressureTrigger, type PressureTriggerOptions } from './pressure-trigger.js';
export {
  readMarks,
  traceReads,
  tracedReadsMax,
  type ReadMark,
  type ReadMarks,
  type ReadTrace,
  type ReadTraceOptions,
} from './read-trace.js';
export type { ReadProbe, ReadRoute } from './read-borders.js';
export { addSwapFile } from './swap-file.js';
export { SwappedPages } from './swapped-pages.js';
export { isRunning, processIdentity, residentBytes, type ProcessIdentity } from './process.js';
export { writeInIdleTime } from './idle-write.js';
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
} from './swap.js';
export { addZramDisk } from './zram-disk.js';
export {
  hasZramWriteback,
  readZramBacking,
  readZramReadBytes,
  ZramWriteback,
  type ZramBacking,
} from './zram-writeback.js';
export { enableZswap, hasZswap, readZswapStats, type ZswapStats } from './zswap.js';
export {
  cacheKeyBytesMax,
  SealedCache,
  sealModes,
  type SealedCacheOptions,
  type SealedCacheStats,
  type SealMode,
  tamperedMax,
} from './sealed-cache.js';
export {
  NbdDevice,
  nbdPageBytes,
  type NbdDeviceOptions,
  type NbdPlace,
  type NbdStats,
} from './nbd-device.js';
export type { NbdSession } from './nbd-session.js';
export { nbdSupport, type NbdSupport } from './nbd-support.js';
export { loadSlabServer, type SlabLoadOptions, type SlabLoadResult } from './slab-load.js';
export {
  SlabServer,
  type LeaseRates,
  type SlabLease,
  type SlabServerOptions,
  type SlabServerStats,
} from './slab-server.js';
export {
  SlabSession,
  slabRangeBytesMax,
  type LossReason,
  type SlabRange,
  type SlabSessionOptions,
  type SlabWrite,
} from './slab-client.js';
