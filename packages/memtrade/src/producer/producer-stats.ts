/** The figures of a running producer. */
import type { BrokerState } from './broker-agent.js';
import type { HarvestStatus } from './harvester/harvest-status.js';
import type { SlabManagerStats } from './slab-manager.js';

/** What a producer serves, offers and harvests, and whether its broker answers. */
export interface ProducerStats extends SlabManagerStats {
  readonly harvest: HarvestStatus;
  readonly broker: BrokerState;
  /** Why the broker cannot be reached; absent while it can. */
  readonly brokerReason?: string;
}
