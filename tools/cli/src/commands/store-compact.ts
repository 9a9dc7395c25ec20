/** `exopool store compact`: merges all tables into one and so frees the space of overwritten and deleted entries. */
import type { Command } from 'commander';
import { Store, type StoreStats } from '@exopool/bpf-storage';
import { formatBytes, formatCount } from '@exopool/shared';
import { withShutdown } from '../shutdown.js';

interface CompactOptions {
  readonly json?: true;
}

export function registerStoreCompact(store: Command): void {
  store
    .command('compact')
    .description('merge all tables into one, without overwritten and deleted entries')
    .argument('<store>', 'folder of the store; no other process may have it open for writing')
    .option('--json', 'print the sizes as JSON')
    .addHelpText(
      'after',
      `
It needs free space for a second copy. If you stop it, the store stays as it was.

Examples:
  exopool store compact ./packages`,
    )
    .action(compact);
}

async function compact(path: string, options: CompactOptions): Promise<void> {
  const startMs = performance.now();
  const { before, after } = await withShutdown((signal) => compactOpened(path, signal));
  const seconds = (performance.now() - startMs) / 1000;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ before, after, seconds })}\n`
      : `before ${describe(before)}\nafter  ${describe(after)}, in ${seconds.toFixed(1)} s\n`,
  );
}

async function compactOpened(path: string, signal: AbortSignal): Promise<{ before: Sizes; after: Sizes }> {
  await using store = await Store.open(path, { createIfMissing: false });
  // The entries of the log become a table first, so that both sizes count the same entries.
  await store.flush();
  const before = sizesOf(store.stats());
  const { Progress } = await import('../progress.js');
  const progress = new Progress();
  try {
    const onProgress = ({ entries, bytes }: { entries: number; bytes: number }): void =>
      progress.update({ entries, bytes, share: entries / before.entries, phase: 'merging' });
    await store.compact({ signal, onProgress });
  } finally {
    progress.stop();
  }
  return { before, after: sizesOf(store.stats()) };
}

interface Sizes {
  readonly tables: number;
  /** With deletions and overwritten values. */
  readonly entries: number;
  readonly bytes: number;
}

function sizesOf({ tables, tableEntries, tableBytes }: StoreStats): Sizes {
  return { tables, entries: tableEntries, bytes: tableBytes };
}

function describe({ tables, entries, bytes }: Sizes): string {
  const noun = tables === 1 ? 'table' : 'tables';
  return `${formatBytes(bytes)} in ${formatCount(tables)} ${noun}, ${formatCount(entries)} entries`;
}
