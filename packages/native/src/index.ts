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
export type { LookupCounters, LoopCounters, TableHeader } from './table-binding.js';
export { loopCounters } from './loop-support.js';
export { releasePin } from './release-pin.js';
export { MemoryCgroup, findMemoryHierarchy, type CgroupHierarchy, type CgroupSample } from './cgroup.js';
export { machineCapabilities, type Capability, type CapabilityGroup } from './capabilities.js';
export { MachineJournal, defaultStateDir, undoLeftovers } from './journal.js';
export { cgroupProcesses, type Change } from './machine-change.js';
export { readMemoryInfo, readMemoryPressure, type MemoryInfo, type MemoryPressure } from './memory-info.js';
export { isRunning, processIdentity, type ProcessIdentity } from './process.js';
export {
  addZramSwap,
  readSwapAreas,
  readZramStats,
  type SwapArea,
  type ZramStats,
  type ZramSwap,
} from './swap.js';
export { openMany, sealKeyBytes, sealMany, sealNonceBytes, sealTagBytes, type SealItem } from './sealing.js';
export { SlabServer, type SlabLease, type SlabServerOptions, type SlabServerStats } from './slab-server.js';
export {
  SlabSession,
  slabRangeBytesMax,
  type LossReason,
  type SlabRange,
  type SlabSessionOptions,
  type SlabWrite,
} from './slab-client.js';
