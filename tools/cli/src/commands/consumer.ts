/** `exopool consumer`: leases remote memory and serves it on this machine. */
import type { Command } from 'commander';
import { consumerConfig, runConsumer } from '@exopool/memtrade';
import { addConfigOptions, readConfig } from '../config-options.js';
import { serve } from '../serve.js';

export function registerConsumer(program: Command): void {
  const command = program.command('consumer').description('lease remote memory and keep the leases');
  addConfigOptions(command, consumerConfig, 'CONSUMER')
    .addHelpText(
      'after',
      '\nExamples:\n  exopool consumer --broker market.example.org:7600 --ca-file broker-ca.pem --slabs 16',
    )
    .action(async () => {
      const config = readConfig(command, consumerConfig, 'CONSUMER');
      await serve(() => runConsumer(config), {
        ready: () => 'exopool consumer: leases are held',
        facts: () => ({}),
        figures: (consumer) => consumer.status(),
      });
    });
}
