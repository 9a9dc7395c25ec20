/** `exopool producer`: offers this machine's idle memory, and harvests more beside a running application. */
import type { Command } from 'commander';
import { undoLeftovers } from '@exopool/native';
import { producerConfig, runProducer } from '@exopool/memtrade';
import { addConfigOptions, readConfig } from '../config-options.js';
import { serve } from '../serve.js';

export function defineProducer(command: Command): void {
  addConfigOptions(command, producerConfig, 'PRODUCER', 'command')
    .option('--undo', 'undo what a producer that was killed left on this machine, and end')
    .addHelpText(
      'after',
      `
Whatever it changes on the machine (cgroup limits, swap) is undone when it ends, also at the next start after a crash.

Examples:
  exopool producer --broker market.example.org:7600 --ca-file broker-ca.pem --advertise vm1.example.org:7700 --port 7700
  exopool producer --max-mib 1024                        beside a broker on this machine; at most 1 GiB
  exopool producer --redis 127.0.0.1:6379 -- redis-server --port 6379
                                                         starts Redis in a cgroup and harvests from it, as root
  exopool producer --unit postgresql@15-main.service --metric 'postgresql://postgres@localhost/postgres'
                                                         harvests from a service of systemd
  exopool producer --undo                                after a crash, when no other producer will be started`,
    )
    .action(async () => {
      const { undo, ...options } = command.opts<{ readonly undo?: true }>();
      const config = readConfig(command, producerConfig, 'PRODUCER', 'command', options);
      if (undo === true) {
        const undone = await undoLeftovers(config.stateDir);
        for (const change of undone) process.stdout.write(`undone: ${change}\n`);
        process.stdout.write(undone.length === 0 ? 'exopool producer: nothing was left behind\n' : '');
        return;
      }
      await serve(() => runProducer(config), {
        ready: (producer) => {
          const { brokerReason } = producer.stats();
          const away = brokerReason === undefined ? '' : `; the broker is looked for (${brokerReason})`;
          return `exopool producer: serving slabs on port ${producer.port}${away}`;
        },
        facts: ({ port, commandPid }) => ({ port, commandPid }),
        figures: (producer) => producer.stats(),
      });
    });
}
