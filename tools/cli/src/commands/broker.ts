/** `exopool broker`: runs a broker. */
import type { Command } from 'commander';
import { brokerConfig, runBroker } from '@exopool/memtrade';
import { addConfigOptions, readConfig } from '../config-options.js';
import { serve } from '../serve.js';

export function defineBroker(command: Command): void {
  addConfigOptions(command, brokerConfig, 'BROKER')
    .addHelpText(
      'after',
      `
Producers and consumers need the broker's address and its CA certificate. The command prints both when it starts.

Examples:
  exopool broker                            with the default port and state folder
  EXOPOOL_BROKER_PORT=7000 exopool broker   with a setting from a variable
  exopool broker --host 0.0.0.0 --names market.example.org`,
    )
    .action(async () => {
      const config = readConfig(command, brokerConfig, 'BROKER');
      await serve(() => runBroker(config), {
        ready: (broker) => `exopool broker: serving at ${broker.endpoint}, CA certificate ${broker.caFile}`,
        facts: (broker) => ({
          endpoint: broker.endpoint,
          caFile: broker.caFile,
          brokerKey: broker.brokerKey.toString('hex'),
        }),
      });
    });
}
