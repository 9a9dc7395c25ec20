/** `exopool store scan`: prints entries in the order of their keys. */
import { once } from 'node:events';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Store } from '@exopool/bpf-storage';
import { escapeBytes } from '../escape-bytes.js';
import { openForReading } from '../store-options.js';

/** About one line of a terminal. */
const previewBytes = 120;

interface ScanOptions {
  readonly gte?: string;
  readonly lt?: string;
  readonly prefix?: string;
  readonly reverse?: true;
  readonly limit?: number;
  readonly json?: true;
  readonly raw?: true;
}

export function registerStoreScan(store: Command): void {
  store
    .command('scan')
    .description('print entries in the order of their keys')
    .argument('<store>', 'folder of the store')
    .option('--gte <key>', 'first key: greater than or equal to this one')
    .option('--lt <key>', 'last key: less than this one')
    .option('--prefix <text>', 'only keys with this prefix')
    .option('--reverse', 'from the last key to the first')
    .option('--limit <count>', 'largest number of entries', parseCount)
    .option('--json', 'one JSON object a line, with the whole value; replaces bytes that are not UTF-8')
    .addOption(
      new Option('--raw', 'only values, whole and unescaped, each with a newline after it').conflicts('json'),
    )
    .addHelpText(
      'after',
      `
Without --json or --raw a line has the key, a tab, and the start of the value, with unprintable bytes as \\xNN.

Examples:
  exopool store scan ./packages --prefix lib --limit 10
  exopool store scan ./packages --gte m --lt n --json | jq -r .key`,
    )
    .action((path: string, options: ScanOptions) => scan(path, options));
}

async function scan(path: string, options: ScanOptions): Promise<void> {
  await using store = await openForReading(path, {});
  for await (const [key, value] of store.range(rangeOf(options))) {
    if (!process.stdout.write(line(key, value, options))) await once(process.stdout, 'drain');
  }
}

function line(key: Buffer, value: Buffer, options: ScanOptions): Buffer | string {
  if (options.raw) return Buffer.concat([value, Buffer.from('\n')]);
  if (options.json)
    return `${JSON.stringify({ key: key.toString('utf8'), value: value.toString('utf8') })}\n`;
  return `${escapeBytes(key)}\t${escapeBytes(value, previewBytes)}\n`;
}

type Range = NonNullable<Parameters<Store['range']>[0]>;

/** The smallest range that satisfies all options. */
export function rangeOf(options: ScanOptions): Range {
  const prefix = options.prefix === undefined ? undefined : Buffer.from(options.prefix);
  const from = [options.gte === undefined ? undefined : Buffer.from(options.gte), prefix];
  const to = [options.lt === undefined ? undefined : Buffer.from(options.lt), prefix && afterPrefix(prefix)];
  const present = (bounds: (Buffer | undefined)[]): Buffer[] => bounds.filter((bound) => bound !== undefined);
  const gte = present(from).sort(byBytes).at(-1);
  const lt = present(to).sort(byBytes).at(0);
  return {
    ...(gte && { gte }),
    ...(lt && { lt }),
    ...(options.reverse && { reverse: true }),
    ...(options.limit !== undefined && { limit: options.limit }),
  };
}

const byBytes = (a: Buffer, b: Buffer): number => Buffer.compare(a, b);

/** The least key greater than all keys with the prefix; undefined for a prefix of 0xff bytes, which has none. */
function afterPrefix(prefix: Buffer): Buffer | undefined {
  const end = prefix.findLastIndex((byte) => byte !== 0xff);
  if (end < 0) return undefined;
  const after = Buffer.from(prefix.subarray(0, end + 1));
  after[end]! += 1;
  return after;
}

function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  return Number(text);
}
