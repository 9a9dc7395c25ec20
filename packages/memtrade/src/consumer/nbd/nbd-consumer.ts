/** A running consumer whose leased memory is a block device: leases kept going, nbdkit at work, metrics. */
import { NbdDevice, type NbdSession, type NbdStats } from '@exopool/native/internal';
import { Identity, loadConfig, UndoStack, type ExopoolError } from '@exopool/shared';
import { BrokerClient } from '../../protocol/broker-client.js';
import { consumerConfig, type ConsumerConfig, type ConsumerSettings } from '../config.js';
import { LeaseKeeper } from '../lease-keeper.js';
import type { LeaseInfo, LeaseStats } from '../remote-memory.types.js';
import { serveNbdMetrics } from './nbd-metrics.js';
import { nbdOptions, nbdUri } from './nbd-settings.js';

/** How old the figures of `status` may be. */
const figuresMs = 1000;

/** What an operator wants to see of it. */
export interface NbdConsumerStatus {
  readonly leases: readonly LeaseInfo[];
  readonly stats: LeaseStats;
  /** Of the device, at most a second old; `undefined` at first. */
  readonly device: NbdStats | undefined;
}

export interface RunningNbdConsumer {
  /** For clients: `nbdinfo URI`. */
  readonly uri: string;
  readonly sizeBytes: number;
  /** Swapping to the device is safe: its memory is locked. */
  readonly isLocked: boolean;
  /** Of the Prometheus metrics; `undefined` when they are off. */
  readonly metricsPort: number | undefined;
  /** Resolves when the device's process has ended by itself; nothing is served any more then, and it is not restarted. */
  readonly failed: Promise<ExopoolError>;
  status(): NbdConsumerStatus;
  /** Ends the device, whoever uses it, and gives every lease back. Idempotent. */
  close(): Promise<void>;
}

/**
 * Leases, and serves the device until it is closed. With too few leases, or none, the device is its backing file.
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
    );
    undo.push(() => clearInterval(timer.unref()));

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
  // The device itself takes slabs into use, and out of it.
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
