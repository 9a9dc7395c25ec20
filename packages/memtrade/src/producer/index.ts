/** The producer: the process that leases a machine's idle memory. */
export { producerConfig, type ProducerConfig } from './config.js';
export { runProducer, type ProducerStats, type RunningProducer } from './producer.js';
export type { HarvestStatus } from './harvester/harvester.js';
