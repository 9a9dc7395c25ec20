/** `exopool store …`: the store from the shell. */
import type { Command } from 'commander';
import { registerStoreCompact } from './store-compact.js';
import { registerStoreGet } from './store-get.js';
import { registerStoreLoad } from './store-load.js';
import { registerStoreScan } from './store-scan.js';
import { registerStoreStat } from './store-stat.js';
import { registerStoreVerify } from './store-verify.js';

export function registerStore(program: Command): void {
  const store = program
    .command('store')
    .description('an ordered key-value store from the shell')
    .addHelpText(
      'after',
      `
Examples:
  exopool store load --from cities.csv --key name ./cities
  exopool store get ./cities Berlin
  exopool store scan ./cities --prefix San --limit 5`,
    );
  registerStoreLoad(store);
  registerStoreGet(store);
  registerStoreScan(store);
  registerStoreStat(store);
  registerStoreVerify(store);
  registerStoreCompact(store);
}
