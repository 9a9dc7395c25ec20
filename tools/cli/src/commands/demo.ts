/** `exopool demo`: the combined stack on this machine. */
import { InvalidArgumentError, type Command } from 'commander';
import { closingTable, passed, runDemo, secondsMin, toJson } from '@exopool/demo';
import { ExopoolError } from '@exopool/shared';
import { findDemoData } from '../demo-data.js';
import { assertWritable, writeJson } from '../output-file.js';
import { withShutdown } from '../shutdown.js';

interface DemoOptions {
  readonly seconds: number;
  readonly json?: string;
  readonly data?: string;
  readonly headless?: true;
}

export function defineDemo(command: Command, mainPath: string): void {
  command
    .option('--seconds <number>', `length of the measured part, at least ${secondsMin}`, parseSeconds, 60)
    .option('--json <file>', 'write the figures there too')
    .option('--data <file>', 'JSON Lines, a package index or a folder, instead of data found on this machine')
    .option('--headless', 'a line every two seconds, also on a terminal')
    .addHelpText(
      'after',
      `
Starts real processes on loopback: a broker, a producer of idle memory, a producer beside a Redis server under load
that it harvests from, and a consumer whose store is read with less local memory than data, with the leased memory
and without it by turns. As root it can do more; what cannot be shown is reported as skipped, with its reason.
Ctrl-C ends all of it and undoes every change.

Exit status 0 only when every check passes.

Examples:
  exopool demo
  exopool demo --seconds 30 --json out.json
  sudo exopool demo     harvesting, and lookups inside the kernel, need root`,
    )
    .action((options: DemoOptions) => demo(options, mainPath));
}

async function demo(options: DemoOptions, mainPath: string): Promise<void> {
  if (options.json !== undefined) await assertWritable(options.json);
  const result = await withShutdown(async (signal) =>
    runDemo({
      data: await findDemoData(options.data),
      seconds: options.seconds,
      headless: options.headless ?? false,
      mainPath,
      signal,
    }),
  );
  process.stdout.write(`${closingTable(result)}\n`);
  if (options.json !== undefined) await writeJson(options.json, toJson(result));
  if (passed(result.checks)) return;
  const failed = Object.entries(result.checks).filter(([, check]) => check === false);
  throw new ExopoolError('EXOPOOL_INTERNAL', `checks failed: ${failed.map(([name]) => name).join(', ')}`);
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= secondsMin && seconds <= 86_400)) {
    throw new InvalidArgumentError(`a number of seconds from ${secondsMin} on is expected.`);
  }
  return seconds;
}
