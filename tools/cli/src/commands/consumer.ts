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
  exopool consumer --resp 6380     serve Redis clients; then: redis-cli -p 6380
  exopool consumer --slabs 64 --waiting-price 0.2 --miss-ms 1 --budget 0.05
                                   lease only as many slabs as pay off
  sudo exopool consumer --nbd /run/exopool.sock --size 8G
                                   serve a block device; then, to swap to it:
      nbd-client -unix /run/exopool.sock /dev/nbd0 -b 4096 -swap && mkswap /dev/nbd0 && swapon /dev/nbd0

Swapping to the device needs locked memory, so start the consumer as root. Run swapoff and nbd-client -d before you
stop it.`,
    )
    .action(async () => {
      const config = readConfig(command, consumerConfig, 'CONSUMER');
      await (config.nbd === undefined ? serveCache(config) : serveDevice(config));
    });
}

function serveCache(config: ConsumerConfig): Promise<void> {
  return serve(() => runConsumer(config), {
    ready: ({ respPort }) =>
      `exopool consumer: leases are open${respPort === undefined ? '' : `; serving Redis clients on port ${respPort}`}`,
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
  const advice = isLocked
    ? ''
    : '\nIts memory is not locked: start it as root before you swap to the device.';
  return `exopool consumer: leases are open; ${device}${advice}`;
}
