/** `exopool store verify`: reads and checks every page of a store. */
import type { Command } from 'commander';
import { ExopoolError } from '@exopool/shared';
import { flatten } from '../flatten.js';
import { withShutdown } from '../shutdown.js';
import { openForReading } from '../store-options.js';
import { textTable } from '../text-table.js';

export function registerStoreVerify(store: Command): void {
  store
    .command('verify')
    .description('read the whole store and check all checksums and the order of keys')
    .argument('<store>', 'folder of the store')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
For a damaged store it fails with EXOPOOL_CORRUPT, file and offset, and exit status 1.

Examples:
  exopool store verify ./packages`,
    )
    .action(verify);
}

async function verify(path: string, options: { readonly json?: true }): Promise<void> {
  await using opened = await openForReading(path, {});
  const { problems, ...report } = await withShutdown((signal) => opened.verify({ signal }));
  const rows = [
    ...flatten(report),
    ...problems.map(({ file, offset, message }) => [`${file}:${offset}`, message]),
  ];
  process.stdout.write(`${options.json ? JSON.stringify({ ...report, problems }) : textTable(rows)}\n`);
  const first = problems[0];
  if (report.ok && first === undefined) return;
  const place = first === undefined ? path : `${first.file}, offset ${first.offset}: ${first.message}`;
  throw new ExopoolError('EXOPOOL_CORRUPT', `the store has ${problems.length} problems; the first: ${place}`);
}
