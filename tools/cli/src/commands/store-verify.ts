/** `exopool store verify`: reads every page and checks it. */
import type { Command } from 'commander';
import { ExopoolError } from '@exopool/shared';
import { flatten } from '../flatten.js';
import { withShutdown } from '../shutdown.js';
import { openForReading } from '../store-options.js';
import { textTable } from '../text-table.js';

export function registerStoreVerify(store: Command): void {
  store
    .command('verify')
    .description('read everything and check every checksum and order')
    .argument('<store>', 'folder of the store')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Exit status 1 and EXOPOOL_CORRUPT, with file and offset, when something is wrong.

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
  throw new ExopoolError('EXOPOOL_CORRUPT', `${problems.length} problems; the first: ${place}`);
}
