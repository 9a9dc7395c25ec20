/** A running consumer that serves a block device in leased memory: keeps the leases going, runs nbdkit, serves metrics. */
import { NbdDevice, type NbdSession, type NbdStats } from '@exopool/native/internal';
import { Identity, loadConfig, UndoStack, type ExopoolError } from '@exopool/shared';
import { BrokerClient } from '../../protocol/broker-client.js';
import { consumerConfig, type ConsumerConfig, type ConsumerSettings } from '../config.js';
import { LeaseKeeper } from '../lease-keeper.js';
import type { LeaseInfo, LeaseStats } from '../remote-memory.types.js';
import { serveNbdMetrics } from './nbd-metrics.js';
import { nbdOptions, nbdUri } from './nbd-settings.js';

/** The interval at which the figures of `status` are read. */
const figuresMs = 1000;

/** The figures of a block device, for operators. */
export interface NbdConsumerStatus {
  readonly leases: readonly LeaseInfo[];
  readonly stats: LeaseStats;
  /** The device's figures, at most a second old; `undefined` in the first second. */
  readonly device: NbdStats | undefined;
}

/** A consumer with a block device that runs in this process. */
export interface RunningNbdConsumer {
  /** The URI for clients, as in `nbdinfo URI`. */
  readonly uri: string;
  readonly sizeBytes: number;
  /** True when its memory is locked, so that swapping to the device is safe. */
  readonly isLocked: boolean;
  /** The port of the Prometheus metrics; `undefined` when they are off. */
  readonly metricsPort: number | undefined;
  /** Resolves when the device's process ended by itself. The device is then gone; it is not restarted. */
  readonly failed: Promise<ExopoolError>;
  status(): NbdConsumerStatus;
  /** Ends the device, even when it is in use, and gives all leases back. Idempotent. */
  close(): Promise<void>;
}

/**
 * Leases memory and serves the device until it is closed. Pages without room in leased memory are in the backing file.
 * @param settings those of `exopool consumer`; `nbd` and `size` are needed.
 * @throws ExopoolError `EXOPOOL_UNSUPPORTED` without nbdkit, and as `runConsumer` does.
 */
export async function runNbdConsumer(settings: ConsumerSettings): Promise<RunningNbdConsumer> {
  const config = loadConfig(consumerConfig, { scope: 'CONSUMER', flags: settings });
  const options = await nbdOptions(config);
  const { sizeBytes } = options;
  const identity = Identity.loadOrCreate(config.identityFile);
  const broker = await BrokerClient.connect({ endpoint: config.broker, caFile: config.caFile, identity });
  const undo = new UndoStack();
  undo.push(() => broker.close());
  try {
    const device = await NbdDevice.start(options);
    undo.push(() => device.close());
    const keeper = await openKeeper(config, device, broker, identity);
    undo.push(() => keeper.close());

    let figures: NbdStats | undefined;
    const timer = setInterval(
      () =>
        void device.stats().then(
          (read) => (figures = read),
          () => undefined,
        ),
      figuresMs,
    ).unref();
    undo.push(() => clearInterval(timer));

    const { metricsHost, metricsPort } = config;
    const metrics =
      metricsPort === undefined
        ? undefined
        : await serveNbdMetrics(
            metricsHost,
            metricsPort,
            () => keeper.stats(),
            () => device.stats(),
          );
    if (metrics !== undefined) undo.push(() => metrics.close());

    return {
      uri: nbdUri(options),
      sizeBytes,
      isLocked: device.isLocked,
      metricsPort: metrics?.port,
      failed: device.failed,
      status: () => ({ leases: keeper.leases(), stats: keeper.stats(), device: figures }),
      close: () => undo.undo(),
    };
  } catch (error) {
    return undo.undoAfter(error);
  }
}

function openKeeper(
  config: ConsumerConfig,
  device: NbdDevice,
  broker: BrokerClient,
  identity: Identity,
): Promise<LeaseKeeper<NbdSession>> {
  const { slabs, minimumSlabs, leaseSeconds, maxPrice } = config;
  // The device itself begins and ends to use the slabs of a session.
  const user = {
    connect: (target: Parameters<NbdDevice['connect']>[0]) => device.connect(target),
    addMemory: () => undefined,
    removeMemory: () => undefined,
  };
  return LeaseKeeper.open(user, {
    broker,
    identity,
    slabs,
    minimumSlabs: Math.min(minimumSlabs, slabs),
    leaseSeconds,
    ...(maxPrice === undefined ? {} : { maxPrice }),
  });
}
