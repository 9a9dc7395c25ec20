/** `exopool consumer`: leases remote memory and serves it on this machine. */
import type { Command } from 'commander';
import { consumerConfig, runConsumer } from '@exopool/memtrade';
import { addConfigOptions, readConfig } from '../config-options.js';
import { serve } from '../serve.js';
import { registerConsumerPlan } from './consumer-plan.js';

export function registerConsumer(program: Command): void {
  const command = program.command('consumer').description('lease remote memory and keep the leases');
  registerConsumerPlan(command.enablePositionalOptions());
  addConfigOptions(command, consumerConfig, 'CONSUMER')
    .addHelpText(
      'after',
      `
Examples:
  exopool consumer --broker market.example.org:7600 --ca-file broker-ca.pem --slabs 16
  exopool consumer --resp 6380                   then: redis-cli -p 6380, or any client of Redis
  exopool consumer --slabs 64 --waiting-price 0.2 --miss-ms 1 --budget 0.05
                                                 as many as are worth their price`,
    )
    .action(async () => {
      const config = readConfig(command, consumerConfig, 'CONSUMER');
      await serve(() => runConsumer(config), {
        ready: ({ respPort }) =>
          `exopool consumer: leases are held${respPort === undefined ? '' : `; Redis clients on port ${respPort}`}`,
        facts: ({ respPort }) => ({ respPort }),
        figures: (consumer) => consumer.status(),
      });
    });
}
