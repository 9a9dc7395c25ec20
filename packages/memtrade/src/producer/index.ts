/** The producer: the process that leases a machine's idle memory. */
export { producerConfig, type ProducerConfig, type ProducerSettings } from './config.js';
export { lookIntervalMs, runProducer, type RunningProducer } from './producer.js';
export type { ProducerStats } from './producer-stats.js';
export type { HarvestStatus } from './harvester/harvest-status.js';
export {
  HarvestPolicy,
  type HarvestDecision,
  type HarvestSample,
  type HarvestSettings,
} from './harvester/harvest-policy.js';
export { SlabManager, type MachineMemory } from './slab-manager.js';
