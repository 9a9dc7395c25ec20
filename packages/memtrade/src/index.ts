/**
 * Leased memory: a broker that runs the market, producers that lease idle memory out, consumers that cache in it.
 *
 * @packageDocumentation
 */

// The broker, and the client that producers and consumers talk to it with.
export {
  BrokerClient,
  brokerConfig,
  runBroker,
  type BrokerClientOptions,
  type BrokerConfig,
  type LeaseGrant,
  type LeaseWish,
  type Market,
  type RunningBroker,
} from './broker/index.js';

// The producer: serves slabs, offers free memory, harvests an application.
export {
  HarvestPolicy,
  lookIntervalMs,
  producerConfig,
  runProducer,
  SlabManager,
  type HarvestDecision,
  type HarvestSample,
  type HarvestSettings,
  type HarvestStatus,
  type MachineMemory,
  type ProducerConfig,
  type ProducerStats,
  type RunningProducer,
} from './producer/index.js';

// The consumer: leased memory as a cache.
export {
  consumerConfig,
  decidePurchase,
  exactCurve,
  meanAbsoluteError,
  RemoteMemory,
  RespServer,
  runConsumer,
  runNbdConsumer,
  sampledCurve,
  SealedCache,
  valueOf,
  type ConsumerConfig,
  type ConsumerStats,
  type ConsumerStatus,
  type LeaseInfo,
  type CurvePoint,
  type LeaseMarket,
  type MissRatioCurve,
  type NbdConsumerStatus,
  type Purchase,
  type PurchaseReason,
  type PurchaseSituation,
  type TraceUse,
  type ProbeCounts,
  type RemoteMemoryOptions,
  type RespServerOptions,
  type RunningConsumer,
  type RunningNbdConsumer,
  type SealedCacheOptions,
  type SealedCacheStats,
  type SealMode,
} from './consumer/index.js';

// Leased memory as a cache with times to live.
export { KeyvStore, RemoteCache, type RemoteCacheEvents, type SetOptions } from './cache/index.js';

// The lease ticket: what the broker signs and the producer accepts.
export { openTicket, signTicket, ticketBytes, ticketSerial, type Ticket } from './protocol/ticket.js';
