/** The consumer uses leased memory as a cache: inside your process, or as a process of its own. */
export { consumerConfig, type ConsumerConfig, type ConsumerSettings } from './config.js';
export { runConsumer, type ConsumerStatus, type RunningConsumer } from './consumer.js';
export { runNbdConsumer, type NbdConsumerStatus, type RunningNbdConsumer } from './nbd/nbd-consumer.js';
export { RemoteMemory } from './remote-memory.js';
export {
  defaultLeaseSeconds,
  type ConsumerStats,
  type LeaseInfo,
  type LeaseMarket,
  type RemoteMemoryOptions,
} from './remote-memory.types.js';
export { exactCurve, sampledCurve, type TraceUse } from './mrc/trace-curves.js';
export { meanAbsoluteError, type CurvePoint, type MissRatioCurve } from './mrc/miss-ratio-curve.js';
export {
  decidePurchase,
  valueOf,
  type Purchase,
  type PurchaseReason,
  type PurchaseSituation,
} from './purchase-policy.js';
export { RespServer, type RespServerOptions } from './resp/resp-server.js';
export {
  SealedCache,
  type SealedCacheOptions,
  type SealedCacheStats,
  type SealMode,
} from '@exopool/native/internal';
export type { ProbeCounts } from './probe.js';
