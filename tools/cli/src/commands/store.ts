/** `exopool store …`: a store from the shell. */
import type { Command } from 'commander';
import { addHelpCommand } from '../lazy-commands.js';
import { registerStoreCompact } from './store-compact.js';
import { registerStoreGet } from './store-get.js';
import { registerStoreLoad } from './store-load.js';
import { registerStoreScan } from './store-scan.js';
import { registerStoreStat } from './store-stat.js';
import { registerStoreVerify } from './store-verify.js';

export function defineStore(command: Command): void {
  command.addHelpText(
    'after',
    `
Examples:
  exopool store load --from cities.csv --key name ./cities
  exopool store get ./cities Berlin
  exopool store scan ./cities --prefix San --limit 5`,
  );
  registerStoreLoad(command);
  registerStoreGet(command);
  registerStoreScan(command);
  registerStoreStat(command);
  registerStoreVerify(command);
  registerStoreCompact(command);
  addHelpCommand(command);
}
