/** `exopool demo`: runs the combined stack on this machine and measures it. */
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

/** A day: a longer demo is a slip. */
const secondsMax = 86_400;

export function defineDemo(command: Command, mainPath: string): void {
  command
    .option('--seconds <number>', `duration of the measurement, at least ${secondsMin}`, parseSeconds, 60)
    .option('--json <file>', 'also write the figures to this file')
    .option(
      '--data <file>',
      'load this JSON Lines file, package index or folder, instead of data of this machine',
    )
    .option('--headless', 'print a line every two seconds, also on a terminal')
    .addHelpText(
      'after',
      `
Starts real processes on loopback: a broker, a producer of idle memory, a producer that harvests from a Redis server
under load, and a consumer with a store. The store has more data than local memory. It is read with and without leased
memory by turns. Harvesting, and lookups inside the kernel, need root; a part that cannot run is reported as skipped,
with the reason. Ctrl-C ends all processes and undoes every change.

The exit status is 0 only when every check passes.

Examples:
  exopool demo
  exopool demo --seconds 30 --json out.json
  sudo exopool demo`,
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
  if (!(seconds >= secondsMin && seconds <= secondsMax)) {
    throw new InvalidArgumentError(`give a number of seconds from ${secondsMin} to ${secondsMax}.`);
  }
  return seconds;
}
