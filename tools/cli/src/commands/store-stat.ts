/** `exopool store stat`: shows the content of a store, and the engine that reads it. */
import type { Command } from 'commander';
import type { StoreStats } from '@exopool/bpf-storage';
import { engineOption, openForReading, type EngineOptions } from '../store-options.js';
import { flatten } from '../flatten.js';
import { textTable } from '../text-table.js';

interface StatOptions extends EngineOptions {
  readonly json?: true;
}

export function registerStoreStat(store: Command): void {
  store
    .command('stat')
    .description('show the content of a store, and the engine that reads it')
    .argument('<store>', 'folder of the store')
    .addOption(engineOption())
    .option('--json', 'print all figures as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  exopool store stat ./packages\n  exopool store stat ./packages --json | jq .engine',
    )
    .action(async (path: string, options: StatOptions) => {
      await using opened = await openForReading(path, options);
      const stats = opened.stats();
      process.stdout.write(`${options.json ? toJson(stats) : textTable(flatten(holdings(stats)))}\n`);
    });
}

/** The figures about content. The counters of a store that was just opened are all zero. */
function holdings(stats: StoreStats): object {
  const { path, engine, direct, tables, tableEntries, tableBytes, memtableEntries, memtableBytes, index } =
    stats;
  const { interiorBytes, filterBytes, tablesWithoutFilter } = index;
  const inTables = { tables, tableEntries, tableBytes, interiorBytes, filterBytes, tablesWithoutFilter };
  return { path, engine, direct, ...inTables, memtableEntries, memtableBytes };
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item));
}
