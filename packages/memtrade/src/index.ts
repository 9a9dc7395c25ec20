/**
 * Leased memory: a broker that runs the market, producers that lease idle memory out, consumers that cache in it.
 *
 * @packageDocumentation
 */

// The broker: runs the market.
export {
  brokerConfig,
  Predictor,
  runBroker,
  type BrokerConfig,
  type BrokerSettings,
  type PredictorTarget,
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
  type ProducerSettings,
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
  type ConsumerSettings,
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

// Shared by all parties: the broker's client, limits, and the lease ticket that the broker signs and producers check.
export {
  BrokerClient,
  openTicket,
  requestedSlabsMax,
  signTicket,
  slabMibDefault,
  slabMibMax,
  ticketBytes,
  ticketSerial,
  type BrokerClientOptions,
  type LeaseGrant,
  type LeaseWish,
  type Market,
  type Ticket,
} from './protocol/index.js';
