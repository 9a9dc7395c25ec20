/** `exopool producer`: offers this machine's idle memory, and harvests more beside a running application. */
import type { Command } from 'commander';
import { producerConfig, runProducer } from '@exopool/memtrade';
import { addConfigOptions, readConfig } from '../config-options.js';
import { serve } from '../serve.js';

export function registerProducer(program: Command): void {
  const command = program
    .command('producer')
    .description("offer this machine's idle memory, and earn from it");
  addConfigOptions(command, producerConfig, 'PRODUCER', 'command')
    .addHelpText(
      'after',
      `
Whatever it changes on the machine (cgroup limits, swap) is undone when it ends, also at the next start after a crash.

Examples:
  exopool producer --broker market.example.org:7600 --ca-file broker-ca.pem --advertise vm1.example.org:7700 --port 7700
  exopool producer --max-mib 1024                        beside a broker on this machine; at most 1 GiB
  exopool producer --redis 127.0.0.1:6379 -- redis-server --port 6379
                                                         starts Redis in a cgroup and harvests from it, as root`,
    )
    .action(async () => {
      const config = readConfig(command, producerConfig, 'PRODUCER', 'command');
      await serve(() => runProducer(config), {
        ready: (producer) => `exopool producer: serving slabs on port ${producer.port}`,
        facts: ({ port, commandPid }) => ({ port, commandPid }),
        figures: (producer) => producer.stats(),
      });
    });
}
