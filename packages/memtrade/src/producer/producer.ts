/**
 * A running producer: serves slabs, offers the memory that the machine can spare, harvests from an application.
 *
 *   harvester ──▶ harvested bytes ─┐
 *   /proc/meminfo, pressure ───────┼─▶ slab manager ──▶ slab server: admits, asks for slabs back, takes them
 *   memory of our own slabs ───────┘             └────▶ report to the broker
 */
import { cpus, loadavg } from 'node:os';
import { undoLeftovers, watchPressure } from '@exopool/native';
import { SlabServer } from '@exopool/native/internal';
import { ExopoolError, Identity, loadConfig, MiB, UndoStack } from '@exopool/shared';
import { BrokerClient } from '../protocol/broker-client.js';
import { offeredSlabsMax } from '../protocol/limits.js';
import { BrokerAgent } from './broker-agent.js';
import { BrokerKeyFile } from './broker-key-file.js';
import { producerConfig, type ProducerConfig, type ProducerSettings } from './config.js';
import { nothingHarvested, type HarvestStatus } from './harvester/harvest-status.js';
import { Harvester } from './harvester/harvester.js';
import { ProducerMetrics } from './producer-metrics.js';
import type { ProducerStats } from './producer-stats.js';
import { SlabManager, type SlabManagerSettings } from './slab-manager.js';

/** A producer that runs in this process. */
export interface RunningProducer {
  /** The port of the slab server. */
  readonly port: number;
  readonly publicKey: Buffer;
  /** The port of the Prometheus metrics; `undefined` when they are off. */
  readonly metricsPort: number | undefined;
  /** The pid of the command that it started to harvest from. */
  readonly commandPid: number | undefined;
  stats(): ProducerStats;
  /** Stops serving, ends the command, and undoes every change to the machine. Idempotent. */
  close(): Promise<void>;
}

/** The interval, in ms, at which the machine is sampled while slabs are leased: an emergency must end within 250 ms. */
export const lookIntervalMs = 50;
/** The machine is sampled at once when tasks wait for memory for a tenth of half a second. */
const triggerStallMs = 50;
const triggerWindowMs = 500;

/**
 * Starts a producer. It may start before its broker: it registers as soon as it can reach it.
 *
 * @param settings those of `exopool producer`; the others have their defaults.
 * @throws ExopoolError `EXOPOOL_CONFIG`, or when the broker refuses, a port is taken, or there is no such application. A
 *   machine that cannot harvest is no error: `stats().harvest.reason` says why.
 *
 * @example
 * const producer = await runProducer({ broker: broker.endpoint, caFile: broker.caFile, maxMib: 256 });
 */
export async function runProducer(settings: ProducerSettings = {}): Promise<RunningProducer> {
  const config = loadConfig(producerConfig, { scope: 'PRODUCER', flags: settings });
  const undo = new UndoStack();
  try {
    return await start(config, undo);
  } catch (error) {
    return undo.undoAfter(error);
  }
}

async function start(config: ProducerConfig, undo: UndoStack): Promise<RunningProducer> {
  const identity = Identity.loadOrCreate(config.identityFile);
  const brokerKey = new BrokerKeyFile(config.identityFile);
  // A harvester does the same before it starts.
  if (!config.harvest) await undoLeftovers(config.stateDir);
  const harvester = config.harvest ? await Harvester.start(harvesterOptions(config)) : undefined;
  undo.push(() => harvester?.close());
  const harvest = (): HarvestStatus => harvester?.status ?? switchedOff;
  const server = startServer(config, identity, brokerKey.key);
  undo.push(() => server.close());

  const metrics = new ProducerMetrics();
  const manager = new SlabManager(
    server,
    managerSettings(config),
    () => harvest().harvestedBytes,
    (ms) => metrics.reclaimed(ms),
  );
  manager.adjust();
  const timer = setInterval(() => manager.turn(), lookIntervalMs);
  undo.push(() => clearInterval(timer));
  const trigger = watchPressure({ stallMs: triggerStallMs, windowMs: triggerWindowMs }, () =>
    manager.adjust(),
  );
  undo.push(() => trigger?.close());

  const agent = await BrokerAgent.start({
    connect: () => BrokerClient.connect({ endpoint: config.broker, caFile: config.caFile, identity }),
    endpoint: advertised(config, server.port),
    slabBytes: config.slabMib * MiB,
    report: () => ({
      offeredSlabs: manager.offeredSlabs,
      harvestedBytes: harvest().harvestedBytes,
      cpuLoad: Math.min(1, (loadavg()[0] ?? 0) / Math.max(1, cpus().length)),
    }),
    onBroker: (key) => {
      if (brokerKey.update(key)) server.setBrokerKey(key);
    },
    onReleased: (leaseIds) => leaseIds.forEach((leaseId) => server.revoke(leaseId)),
  });
  undo.push(() => agent.close());

  const stats = (): ProducerStats => ({
    ...manager.stats(),
    harvest: harvest(),
    broker: agent.state,
    ...(agent.reason === undefined ? {} : { brokerReason: agent.reason }),
  });
  const { metricsHost, metricsPort } = config;
  const metricsServer =
    metricsPort === undefined ? undefined : await metrics.serve(stats, metricsHost, metricsPort);
  undo.push(() => metricsServer?.close());
  return {
    port: server.port,
    publicKey: identity.publicKey,
    metricsPort: metricsServer?.port,
    commandPid: harvester?.commandPid,
    stats,
    close: () => undo.undo(),
  };
}

const switchedOff: HarvestStatus = {
  state: 'off',
  reason: 'harvesting is off: start the producer without --no-harvest',
  ...nothingHarvested,
};

function managerSettings(config: ProducerConfig): SlabManagerSettings {
  return {
    slabBytes: config.slabMib * MiB,
    floorBytes: config.floorMib * MiB,
    maxBytes: config.maxMib === undefined ? Infinity : config.maxMib * MiB,
    slabsMax: offeredSlabsMax,
    raiseAfterMs: config.raiseSeconds * 1000,
    graceMs: config.graceSeconds * 1000,
    emergencyBytes: (config.emergencyMib ?? config.floorMib / 2) * MiB,
    emergencyPressure: config.emergencyPressure,
  };
}

function startServer(config: ProducerConfig, identity: Identity, brokerKey: Buffer): SlabServer {
  return SlabServer.start({
    host: config.host,
    port: config.port,
    seed: identity.seed,
    brokerKey,
    slabBytes: config.slabMib * MiB,
    capacitySlabs: 0,
    rates: {
      bytesPerSecond: config.leaseMibPerSecond * MiB,
      requestsPerSecond: config.leaseRequestsPerSecond,
      burstSeconds: config.burstSeconds,
    },
    cpuShareMax: config.cpuPercentMax / 100,
  });
}

function advertised(config: ProducerConfig, port: number): string {
  if (config.advertise !== undefined) return config.advertise;
  if (config.host === '0.0.0.0' || config.host === '::') {
    const message = `consumers cannot connect to ${config.host}: give --advertise HOST:PORT, or --host with one address`;
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
    floorBytes: config.appFloorMib * MiB,
    swapBytes: config.swapMib * MiB,
  };
}
