/** `exopool store load`: loads a foreign file into a store, all of it or nothing. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { Store, type LoadProgress, type LoadResult } from '@exopool/bpf-storage';
import { ExopoolError, formatBytes, formatCount } from '@exopool/shared';
import type { Progress } from '../progress.js';
import { formats, readEntries, type EntrySource, type Format } from '../readers/index.js';
import { withShutdown } from '../shutdown.js';

interface LoadOptions {
  readonly from: string;
  readonly format?: Format;
  readonly key?: string;
  readonly delimiter?: string;
  readonly json?: true;
}

export function registerStoreLoad(store: Command): void {
  store
    .command('load')
    .description('load a file into a store, in addition to its entries')
    .argument('<store>', 'folder of the store; created when it does not exist')
    .requiredOption(
      '--from <file>',
      'file or folder to load, plain or with gzip, xz or lz4; - is standard input',
    )
    .addOption(
      new Option('--format <name>', 'format of the file; default: by its name and content').choices(formats),
    )
    .option(
      '--key <name>',
      'the key: a column of CSV, a field of JSON Lines, or FIELD[=FIELD] of a package index',
    )
    .option('--delimiter <character>', 'separator of CSV columns')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Formats:
  jsonl      {"key": …, "value": …} on each line; with --key FIELD the value is the whole line
  csv        a header line, then rows; the value is the row as a JSON object
  packages   a Debian package index; the value is the stanza, and the key is its Package by default
  files      a folder; the key is a path, and the value is JSON with size, mode, time and the first KiB of text

Of several entries with one key, the last one wins. If the load fails or you stop it, the store stays as it was.

Examples:
  exopool store load --from data.jsonl.gz ./data
  exopool store load --from cities.csv --key name ./cities
  exopool store load --from Packages.xz --key Package=Version ./packages
  curl -s https://example.org/data.csv | exopool store load --from - --format csv --key id ./data`,
    )
    .action((path: string, options: LoadOptions) => load(path, options));
}

async function load(path: string, options: LoadOptions): Promise<void> {
  if (options.delimiter !== undefined && options.delimiter.length !== 1) {
    throw new ExopoolError('EXOPOOL_USAGE', '--delimiter must be one character');
  }
  const { loaded, entries, inputBytes, seconds } = await withShutdown((signal) =>
    loadOrUndo(path, options, signal),
  );
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ loaded, entries, inputBytes, seconds, bytesPerSecond: inputBytes / seconds })}\n`
      : `loaded ${formatCount(loaded)} entries, ${formatBytes(inputBytes)}, in ${seconds.toFixed(1)} s: ` +
          `${formatCount(loaded / seconds)} entries/s, ${formatBytes(inputBytes / seconds)}/s; ` +
          `the store has ${formatCount(entries)}\n`,
  );
}

interface Loaded extends LoadResult {
  /** Bytes of the keys and values that were read, with duplicates. */
  readonly inputBytes: number;
}

async function loadOrUndo(path: string, options: LoadOptions, signal: AbortSignal): Promise<Loaded> {
  const source = await readEntries(options.from, { ...options, signal });
  const wasThere = existsSync(path);
  const { Progress } = await import('../progress.js');
  const progress = new Progress();
  try {
    await using store = await Store.open(path);
    return await loadEntries(store, source, progress, signal);
  } catch (error) {
    if (!wasThere) await rm(path, { recursive: true, force: true });
    throw error;
  } finally {
    progress.stop();
  }
}

async function loadEntries(
  store: Store,
  source: EntrySource,
  progress: Progress,
  signal: AbortSignal,
): Promise<Loaded> {
  let inputBytes = 0;
  const onProgress = ({ phase, entries, bytes }: LoadProgress): void => {
    if (phase === 'read') inputBytes = bytes;
    const isReading = phase === 'read' && source.totalBytes !== undefined;
    const share = isReading ? source.bytesRead() / source.totalBytes : undefined;
    progress.update({ entries, bytes, share, phase: phase === 'read' ? 'reading' : 'writing' });
  };
  const result = await store.load(source.entries, { signal, onProgress });
  return { ...result, inputBytes };
}
