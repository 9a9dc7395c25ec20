/** `exopool producer`: offers this machine's idle memory, and harvests more from a running application. */
import type { Command } from 'commander';
import { undoLeftovers } from '@exopool/native';
import { producerConfig, runProducer } from '@exopool/memtrade';
import { addConfigOptions, readConfig } from '../config-options.js';
import { serve } from '../serve.js';

export function defineProducer(command: Command): void {
  addConfigOptions(command, producerConfig, 'PRODUCER', 'command')
    .option('--undo', 'undo the changes that a killed producer left on this machine, then exit')
    .addHelpText(
      'after',
      `
It undoes all its changes to the machine (cgroup limits, swap) when it ends. After a crash the next start undoes them.

Examples:
  exopool producer --broker market.example.org:7600 --ca-file broker-ca.pem --advertise vm1.example.org:7700 --port 7700
  exopool producer --max-mib 1024   offer at most 1 GiB, with a broker on this machine
  sudo exopool producer --redis 127.0.0.1:6379 -- redis-server --port 6379
                                    start Redis in a cgroup and harvest from it
  sudo exopool producer --unit postgresql@15-main.service --metric 'postgresql://postgres@localhost/postgres'
                                    harvest from a systemd service
  sudo exopool producer --undo      undo the changes of a killed producer`,
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
          const away = brokerReason === undefined ? '' : `; will retry to reach the broker (${brokerReason})`;
          return `exopool producer: serving slabs on port ${producer.port}${away}`;
        },
        facts: ({ port, commandPid }) => ({ port, commandPid }),
        figures: (producer) => producer.stats(),
      });
    });
}
