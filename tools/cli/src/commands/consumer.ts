/** `exopool consumer`: leases remote memory and serves it on this machine. */
import type { Command } from 'commander';
import {
  consumerConfig,
  runConsumer,
  runNbdConsumer,
  type ConsumerConfig,
  type RunningNbdConsumer,
} from '@exopool/memtrade';
import { formatBytes } from '@exopool/shared';
import { addConfigOptions, readConfig } from '../config-options.js';
import { serve } from '../serve.js';
import { registerConsumerPlan } from './consumer-plan.js';

export function defineConsumer(command: Command): void {
  registerConsumerPlan(command.enablePositionalOptions());
  addConfigOptions(command, consumerConfig, 'CONSUMER')
    .addHelpText(
      'after',
      `
Examples:
  exopool consumer --broker market.example.org:7600 --ca-file broker-ca.pem --slabs 16
  exopool consumer --resp 6380                   then: redis-cli -p 6380, or any client of Redis
  exopool consumer --nbd /run/exopool.sock --size 8G
                                                 a block device, partly in leased memory:
      nbd-client -unix /run/exopool.sock /dev/nbd0 -b 4096 -swap && mkswap /dev/nbd0 && swapon /dev/nbd0
      (start it as root, so that its memory can be locked; swapoff and nbd-client -d before you stop it)
  exopool consumer --slabs 64 --waiting-price 0.2 --miss-ms 1 --budget 0.05
                                                 as many as are worth their price`,
    )
    .action(async () => {
      const config = readConfig(command, consumerConfig, 'CONSUMER');
      await (config.nbd === undefined ? serveCache(config) : serveDevice(config));
    });
}

function serveCache(config: ConsumerConfig): Promise<void> {
  return serve(() => runConsumer(config), {
    ready: ({ respPort }) =>
      `exopool consumer: leases are held${respPort === undefined ? '' : `; Redis clients on port ${respPort}`}`,
    facts: ({ respPort }) => ({ respPort }),
    figures: (consumer) => consumer.status(),
  });
}

function serveDevice(config: ConsumerConfig): Promise<void> {
  return serve(() => runNbdConsumer(config), {
    ready: describeDevice,
    facts: ({ uri, metricsPort }) => ({ uri, metricsPort }),
    figures: (consumer) => consumer.status(),
  });
}

function describeDevice({ uri, sizeBytes, isLocked }: RunningNbdConsumer): string {
  const device = `a block device of ${formatBytes(sizeBytes)} is at ${uri}`;
  const advice = isLocked ? '' : '\nIts memory is not locked: do not swap to it. Start it as root for that.';
  return `exopool consumer: leases are held; ${device}${advice}`;
}
