/** A running consumer: leases memory of a broker's market, keeps the leases going, and serves front ends and metrics. */
import { Identity, loadConfig, UndoStack, type CacheTier } from '@exopool/shared';
import { BrokerClient } from '../protocol/broker-client.js';
import { consumerConfig, type ConsumerSettings } from './config.js';
import { serveConsumerMetrics } from './consumer-metrics.js';
import { DemandSampler } from './demand-sampler.js';
import { openRespServer } from './open-resp-server.js';
import { Probe, type ProbeCounts } from './probe.js';
import type { Purchase } from './purchase-policy.js';
import { openPurchaser } from './purchaser.js';
import { RemoteMemory } from './remote-memory.js';
import type { ConsumerStats, LeaseInfo } from './remote-memory.types.js';
import { SampledTier } from './sampled-tier.js';

/** The figures of a consumer, for operators. */
export interface ConsumerStatus {
  readonly leases: readonly LeaseInfo[];
  readonly stats: ConsumerStats;
  /** `undefined` without the setting `probe`. */
  readonly probe: ProbeCounts | undefined;
  /** The last decision of the purchase policy; `undefined` before the first, and without `waitingPrice`. */
  readonly purchase: Purchase | undefined;
}

/** A consumer that runs in this process. */
export interface RunningConsumer {
  /** The cache in leased memory. */
  readonly tier: CacheTier;
  /** The port of the Prometheus metrics; `undefined` when they are off. */
  readonly metricsPort: number | undefined;
  /** The port for Redis clients; `undefined` when that is off. */
  readonly respPort: number | undefined;
  status(): ConsumerStatus;
  /** Gives all leases back. Idempotent. */
  close(): Promise<void>;
}

/**
 * Connects to the broker, leases, and keeps the leases until it is closed.
 * @param settings those of `exopool consumer`; what is left out has its default.
 * @throws ExopoolError `EXOPOOL_UNAVAILABLE`, `EXOPOOL_DENIED`, `EXOPOOL_TIMEOUT`, `EXOPOOL_NO_MEMORY`,
 * `EXOPOOL_PORT_IN_USE`, `EXOPOOL_CONFIG`, or what the file system says about the identity and the certificate.
 */
export async function runConsumer(settings: ConsumerSettings = {}): Promise<RunningConsumer> {
  const config = loadConfig(consumerConfig, { scope: 'CONSUMER', flags: settings });
  const identity = Identity.loadOrCreate(config.identityFile);
  const broker = await BrokerClient.connect({ endpoint: config.broker, caFile: config.caFile, identity });
  const undo = new UndoStack();
  undo.push(() => broker.close());
  try {
    const demand = config.waitingPrice === undefined ? undefined : new DemandSampler();
    // The purchaser needs the leases, and the leases are taken by its plan.
    const holder: { memory?: RemoteMemory } = {};
    const purchaser = openPurchaser(config, broker, demand, () => holder.memory?.leases() ?? []);
    undo.push(() => purchaser?.close());
    const { leaseSeconds, seal, secondCopy } = config;
    const { slabs, maxPrice } = purchaser?.plan ?? config;
    const memory = await RemoteMemory.open({
      broker,
      identity,
      slabs,
      minimumSlabs: Math.min(config.minimumSlabs, slabs),
      leaseSeconds,
      seal,
      secondCopy,
      ...(maxPrice === undefined ? {} : { maxPrice }),
      ...(purchaser === undefined ? {} : { plan: () => purchaser.plan }),
    });
    holder.memory = memory;
    undo.push(() => memory.close());
    const tier = demand === undefined ? memory.tier : new SampledTier(memory.tier, demand);

    const probe = config.probe ? new Probe(memory.tier) : undefined;
    if (probe !== undefined) undo.push(() => probe.close());

    const stats = (): ConsumerStats => memory.stats();
    const { metricsHost, metricsPort } = config;
    const metrics =
      metricsPort === undefined
        ? undefined
        : await serveConsumerMetrics(metricsHost, metricsPort, stats, () => probe?.counts);
    if (metrics !== undefined) undo.push(() => metrics.close());

    const resp = config.resp === undefined ? undefined : await openRespServer(config, memory, demand);
    if (resp !== undefined) undo.push(() => resp.close());

    return {
      tier,
      metricsPort: metrics?.port,
      respPort: resp?.port,
      status: () => ({
        leases: memory.leases(),
        stats: stats(),
        probe: probe?.counts,
        purchase: purchaser?.last,
      }),
      close: () => undo.undo(),
    };
  } catch (error) {
    return undo.undoAfter(error);
  }
}
