/**
 * Mechanisms of the operating system behind typed facades; no policy.
 *
 * This entry is for applications: questions to the machine, the memory of process groups, and the time of a read. What
 * the store, the market and the tools are made of is in `@exopool/native/internal`.
 */
export { machineCapabilities, type Capability, type CapabilityGroup } from './machine/capabilities.js';
export { readMarks } from './contracts.js';
export { tableEngineSupport } from './table/engine-support.js';
export type { EngineSupport, TableEngine } from './table/table-engine.js';
export { engineFindings, engineFindingsAt } from './table/engine-findings.js';
export { nbdSupport, type NbdSupport } from './nbd/nbd-support.js';

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

export { MachineJournal, defaultStateDir, undoLeftovers } from './machine/journal.js';
export type { Change, ChangeRecorder } from './machine/machine-change.js';
export {
  MemoryCgroup,
  findMemoryHierarchy,
  type CgroupHierarchy,
  type CgroupSample,
} from './machine/cgroup.js';
export { MemoryCage } from './machine/memory-cage.js';
export { Damon, type DamonSettings, type IdleRange } from './machine/damon.js';
export { pageOut, residentRanges, type AddressRange, type SizedRange } from './machine/page-out.js';

export {
  traceReads,
  tracedReadsMax,
  type ReadMark,
  type ReadMarks,
  type ReadTrace,
  type ReadTraceOptions,
} from './machine/read-trace.js';
export type { ReadProbe, ReadRoute } from './machine/read-borders.js';
