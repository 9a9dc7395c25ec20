/**
 * A running producer: serves slabs, offers what the machine can spare, harvests an application.
 *
 *   harvester ──▶ harvested bytes ─┐
 *   /proc/meminfo ─────────────────┼─▶ offer policy ──▶ slab server's capacity (revokes what no longer fits)
 *   memory of our own slabs ───────┘                └─▶ report to the broker
 */
import { cpus, loadavg } from 'node:os';
import { readMemoryInfo, SlabServer, undoLeftovers, type SlabServerStats } from '@exopool/native';
import { ExopoolError, Identity, MiB, type MetricsServer } from '@exopool/shared';
import { BrokerClient } from '../broker/broker-client.js';
import { offeredSlabsMax } from '../limits.js';
import { BrokerAgent, type BrokerState } from './broker-agent.js';
import type { ProducerConfig } from './config.js';
import { Harvester, type HarvestStatus } from './harvester/harvester.js';
import { nextOffer, type OfferSettings, type OfferState } from './offer-policy.js';
import { serveProducerMetrics } from './producer-metrics.js';

export interface ProducerStats {
  readonly offeredSlabs: number;
  readonly slabBytes: number;
  readonly availableBytes: number;
  readonly server: SlabServerStats;
  readonly harvest: HarvestStatus;
  readonly broker: BrokerState;
  /** Why the broker is away. */
  readonly brokerReason?: string;
}

export interface RunningProducer {
  /** Of the slab server. */
  readonly port: number;
  readonly publicKey: Buffer;
  /** Of the Prometheus metrics; `undefined` when they are off. */
  readonly metricsPort: number | undefined;
  /** Pid of the command that was started for harvesting. */
  readonly commandPid: number | undefined;
  stats(): ProducerStats;
  /** Stops serving and the command, and undoes every change to the machine. Idempotent. */
  close(): Promise<void>;
}

/** How often the machine's memory is looked at: an application that grows by 10 GiB/s takes 2.5 GiB in that time. */
const offerIntervalMs = 250;

/**
 * Starts a producer.
 * @throws ExopoolError when the broker cannot be reached or refuses, a port is taken, or the application to harvest
 *   from is not there. A machine that cannot harvest is no error: `stats().harvest.reason` says why.
 */
export async function runProducer(config: ProducerConfig): Promise<RunningProducer> {
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await start(config, undo);
  } catch (error) {
    await undoAll(undo);
    throw error;
  }
}

async function start(config: ProducerConfig, undo: (() => Promise<void> | void)[]): Promise<RunningProducer> {
  const identity = Identity.loadOrCreate(config.identityFile);
  const client = await BrokerClient.connect({ endpoint: config.broker, caFile: config.caFile, identity });
  undo.push(() => client.close());
  // The harvester does so before it starts; without one it is done here.
  if (!config.harvest) await undoLeftovers(config.stateDir);
  const harvester = config.harvest ? await Harvester.start(harvesterOptions(config)) : undefined;
  undo.push(() => harvester?.close());
  const server = startServer(config, identity, client.brokerKey);
  undo.push(() => server.close());

  const manager = new SlabManager(config, server, () => harvester?.status ?? switchedOff);
  manager.adjust();
  const timer = setInterval(() => manager.adjust(), offerIntervalMs);
  undo.push(() => clearInterval(timer));

  const agent = await BrokerAgent.start({
    client,
    endpoint: advertised(config, server.port),
    slabBytes: config.slabMib * MiB,
    report: () => ({
      offeredSlabs: manager.offeredSlabs,
      harvestedBytes: harvester?.status.harvestedBytes ?? 0,
      cpuLoad: Math.min(1, (loadavg()[0] ?? 0) / Math.max(1, cpus().length)),
    }),
    onReleased: (leaseIds) => leaseIds.forEach((leaseId) => server.revoke(leaseId)),
  });
  undo.push(() => agent.close());

  const stats = (): ProducerStats => ({
    ...manager.stats(),
    broker: agent.state,
    ...(agent.reason === undefined ? {} : { brokerReason: agent.reason }),
  });
  let metrics: MetricsServer | undefined;
  if (config.metricsPort !== undefined) {
    metrics = await serveProducerMetrics(stats, config.metricsHost, config.metricsPort);
    const opened = metrics;
    undo.push(() => opened.close());
  }
  let closing: Promise<void> | undefined;
  return {
    port: server.port,
    publicKey: identity.publicKey,
    metricsPort: metrics?.port,
    commandPid: harvester?.commandPid,
    stats,
    close: () => (closing ??= undoAll(undo)),
  };
}

const switchedOff: HarvestStatus = {
  state: 'off',
  reason: 'harvesting is switched off: give --harvest',
  usageBytes: 0,
  swappedBytes: 0,
  harvestedBytes: 0,
  steps: 0,
  drops: 0,
  prefetchedBytes: 0,
};

/** Keeps the slab server's capacity at what the policy says. */
class SlabManager {
  readonly #server: SlabServer;
  readonly #settings: OfferSettings;
  readonly #harvest: () => HarvestStatus;
  /** Memory of this process without slabs: what it has more of later is in slabs. */
  readonly #ownBytesAtStart = process.memoryUsage.rss();
  #offer: OfferState | undefined;

  constructor(config: ProducerConfig, server: SlabServer, harvest: () => HarvestStatus) {
    this.#server = server;
    this.#harvest = harvest;
    this.#settings = {
      slabBytes: config.slabMib * MiB,
      floorBytes: config.floorMib * MiB,
      maxBytes: config.maxMib === undefined ? Infinity : config.maxMib * MiB,
      slabsMax: offeredSlabsMax,
      raiseAfterMs: config.raiseSeconds * 1000,
    };
  }

  get offeredSlabs(): number {
    return this.#offer?.slabs ?? 0;
  }

  adjust(): void {
    const before = this.#offer?.slabs;
    // Mapped is not yet used: only pages that were written count, and they show in our resident memory.
    const grownBytes = Math.max(0, process.memoryUsage.rss() - this.#ownBytesAtStart);
    const snapshot = {
      nowMs: performance.now(),
      availableBytes: readMemoryInfo().availableBytes,
      ownBytes: Math.min(grownBytes, this.#server.stats().mappedBytes),
      harvestedBytes: this.#harvest().harvestedBytes,
    };
    this.#offer = nextOffer(this.#offer, snapshot, this.#settings);
    if (this.#offer.slabs !== before) this.#server.setCapacity(this.#offer.slabs);
  }

  stats(): Omit<ProducerStats, 'broker'> {
    return {
      offeredSlabs: this.offeredSlabs,
      slabBytes: this.#settings.slabBytes,
      availableBytes: readMemoryInfo().availableBytes,
      server: this.#server.stats(),
      harvest: this.#harvest(),
    };
  }
}

function startServer(config: ProducerConfig, identity: Identity, brokerKey: Buffer): SlabServer {
  return SlabServer.start({
    host: config.host,
    port: config.port,
    seed: identity.seed,
    brokerKey,
    slabBytes: config.slabMib * MiB,
    capacitySlabs: 0,
  });
}

function advertised(config: ProducerConfig, port: number): string {
  if (config.advertise !== undefined) return config.advertise;
  if (config.host === '0.0.0.0' || config.host === '::') {
    const message = `consumers cannot reach ${config.host}: give --advertise HOST:PORT, or a --host with an address`;
    throw new ExopoolError('EXOPOOL_CONFIG', message);
  }
  return config.host.includes(':') ? `[${config.host}]:${port}` : `${config.host}:${port}`;
}

function harvesterOptions(config: ProducerConfig): Parameters<typeof Harvester.start>[0] {
  return {
    ...config,
    tail: config.tailPercent / 100,
    backingBytes: config.siloDiskMib * MiB,
    backingDir: config.siloDir,
    epochMs: config.epochSeconds * 1000,
    chunkBytes: config.chunkMib * MiB,
    coolingMs: config.coolingSeconds * 1000,
    recoveryMs: config.recoverySeconds * 1000,
    baselineWindowMs: config.baselineWindowSeconds * 1000,
    recentWindowMs: config.recentWindowSeconds * 1000,
    baselinePointsMin: config.baselinePointsMin,
    recentPointsMin: config.recentPointsMin,
    floorBytes: config.appFloorMib * MiB,
    swapBytes: config.swapMib * MiB,
  };
}

async function undoAll(steps: (() => Promise<void> | void)[]): Promise<void> {
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
}
