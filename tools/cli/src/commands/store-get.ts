/** `exopool store get`: writes the value of one key, byte for byte, to standard output. */
import type { Command } from 'commander';
import { ExopoolError } from '@exopool/shared';
import { escapeBytes } from '../escape-bytes.js';
import { engineOption, openForReading, type EngineOptions } from '../store-options.js';

interface GetOptions extends EngineOptions {
  readonly json?: true;
}

export function registerStoreGet(store: Command): void {
  store
    .command('get')
    .description('print the value of a key')
    .argument('<store>', 'folder of the store')
    .argument('<key>', 'the key, as text')
    .addOption(engineOption())
    .option('--json', 'print key, value and engine as JSON')
    .addHelpText(
      'after',
      `
Without such a key it fails with EXOPOOL_NOT_FOUND and exit status 1.

Examples:
  exopool store get ./packages bash
  exopool store get ./packages bash --engine page-cache-bpf --json`,
    )
    .action(async (path: string, key: string, options: GetOptions) => {
      await using opened = await openForReading(path, options);
      const value = await opened.get(key);
      if (value === undefined) {
        throw new ExopoolError('EXOPOOL_NOT_FOUND', `${path} has no key "${escapeBytes(Buffer.from(key))}"`);
      }
      if (!options.json) process.stdout.write(value);
      else {
        const { engine } = opened.stats();
        process.stdout.write(`${JSON.stringify({ key, value: value.toString('utf8'), engine })}\n`);
      }
    });
}
