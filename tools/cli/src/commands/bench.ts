/** `exopool bench`: measures exopool and its peers in the same run. */
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { suites, summary, toJson, writePicture, writeReport, type Suite } from '@exopool/bench';
import { ExopoolError } from '@exopool/shared';
import { assertWritable, writeJson } from '../output-file.js';
import { withShutdown } from '../shutdown.js';

interface BenchOptions {
  readonly json?: string;
  readonly out?: string;
  readonly picture?: string;
  readonly quick?: true;
  readonly only?: readonly string[];
  readonly records?: number;
  readonly rounds?: number;
  readonly seconds?: number;
  readonly dir?: string;
  readonly vms?: string;
  readonly seed?: number;
  readonly keep?: true;
  readonly engines?: true;
  readonly vm?: true;
}

/** With fewer records the start dominates. */
const recordsMin = 1000;
const recordsMax = 1_000_000_000;
/** More rounds do not narrow the spread. */
const roundsMax = 100;
/** In a shorter window the slowest contender makes too few calls for percentiles; a window of an hour is a slip. */
const windowSecondsMin = 0.01;
const windowSecondsMax = 3600;

export function defineBench(command: Command): void {
  const names = suites.map(({ name, description }) => `  ${name.padEnd(10)} ${description}`);
  command
    .argument('<suite>', suites.map(({ name }) => name).join(', '))
    .option('--json <file>', 'also write the figures to this file')
    .option('--out <folder>', 'folder for report.json, report.md and plots; default bench-results/SUITE-TIME')
    .option(
      '--picture <path>',
      'write PATH-light.svg and PATH-dark.svg: the figure of a README (suite lookup)',
    )
    .option('--quick', 'run for minutes, with less data and shorter windows; ratios are less precise')
    .option(
      '--only <names>',
      'only contenders with these parts in their names, such as exopool,lmdb',
      parseNames,
    )
    .option('--records <number>', 'number of records', parseRecords)
    .option('--rounds <number>', 'number of turns of each contender', parseRounds)
    .option('--seconds <number>', 'length of a window of reads, in seconds', parseSeconds)
    .option('--dir <folder>', 'folder for the data, on the disk to measure; default $TMPDIR or /var/tmp')
    .option('--keep', 'keep the data and use it again the next time')
    .option('--vms <file>', 'suite market: usage of machines, lines of vm,step,cpu_pct,mem_pct (also .gz)')
    .option('--seed <number>', 'suite market: seed of the generated machines, without --vms', parseSeed)
    .option('--engines', 'compare the lookup engines with each other, by depth and chains in flight')
    .option('--vm', 'also measure in guests with other kernels; see below')
    .addHelpText(
      'after',
      `
Suites:
${names.join('\n')}

Suite lookup: each contender runs alone in its own process. As root, a memory cgroup limits it to a quarter of the data,
with the page cache. Contenders take turns. Figures are medians of the rounds, with minimum and maximum. A ratio above 1
means that exopool is better. Ctrl-C stops the run and leaves nothing behind. Lookup takes up to an hour and 40 GB of
disk. Harvest takes up to 50 minutes (6 with --quick) and 8 GB of memory. Other work on the machine distorts the
figures, so look at the spread.

Examples:
  exopool bench lookup --quick
  sudo exopool bench lookup --json lookup.json --dir /mnt/nvme
  exopool bench lookup --only exopool,lmdb --records 1000000 --keep
  exopool bench lookup --quick --picture docs/point-reads
  sudo exopool bench harvest --only redis,slab
  sudo exopool bench lookup --engines
  exopool bench cache --vm --only swap
  exopool bench market --vms usage.csv.gz
  exopool bench harvest --vm --quick --only guest
  exopool bench lookup --engines --vm --quick

With --engines, suite lookup compares only the engines that run on this kernel, in memory and on disks (as root also on
zram, which is as fast as the fastest disk). With --vm too, it counts instructions in guests, and --only selects parts:
ring, driver, null-block, fairness, extents.

With --vm, suite cache also compares swap to leased memory with swap to a disk; --only swap measures only that. With
--vm, suite harvest also harvests from Redis and memcached in guests with Linux 6.12, with zram alone and with a disk for
idle pages; --only guest measures only that. Guests need the same packages as exopool vm.`,
    )
    .action(bench);
}

async function bench(name: string, options: BenchOptions): Promise<void> {
  const suite = findSuite(name);
  if (options.engines && name !== 'lookup')
    throw new ExopoolError('EXOPOOL_USAGE', `--engines is only for the suite lookup, not for ${name}`);
  if (options.vm && !options.engines && name === 'lookup')
    throw new ExopoolError(
      'EXOPOOL_USAGE',
      '--vm needs --engines in the suite lookup: exopool bench lookup --engines --vm',
    );
  if (options.json !== undefined) await assertWritable(options.json);
  const result = await withShutdown((signal) =>
    suite.run({
      quick: options.quick ?? false,
      only: options.only,
      records: options.records,
      rounds: options.rounds,
      windowSeconds: options.seconds,
      folder: options.dir,
      keep: options.keep ?? false,
      vms: options.vms,
      seed: options.seed,
      engines: options.engines ?? false,
      vm: options.vm ?? false,
      signal,
      say: (line) => void process.stderr.write(`exopool: ${line}\n`),
    }),
  );
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  const files = await writeReport(result, options.out ?? join('bench-results', `${name}-${time}`));
  if (options.json !== undefined) await writeJson(options.json, toJson(result));
  if (options.picture !== undefined) files.push(...(await writePicture(result, options.picture)));
  process.stdout.write(`${summary(result)}\n\n${files.join('\n')}\n`);
}

function findSuite(name: string): Suite {
  const suite = suites.find((candidate) => candidate.name === name);
  if (suite !== undefined) return suite;
  const known = suites.map((candidate) => candidate.name).join(', ');
  throw new ExopoolError('EXOPOOL_USAGE', `unknown suite "${name}": give one of ${known}`);
}

function parseNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('give names, separated by commas.');
  return names;
}

function parseRecords(text: string): number {
  return numberIn(text, recordsMin, recordsMax, true);
}

function parseSeed(text: string): number {
  return numberIn(text, 0, 2 ** 32 - 1, true);
}

function parseRounds(text: string): number {
  return numberIn(text, 1, roundsMax, true);
}

function parseSeconds(text: string): number {
  return numberIn(text, windowSecondsMin, windowSecondsMax, false);
}

function numberIn(text: string, min: number, max: number, isWhole: boolean): number {
  const number = Number(text);
  if (number >= min && number <= max && (!isWhole || Number.isSafeInteger(number))) return number;
  throw new InvalidArgumentError(`give a${isWhole ? ' whole' : ''} number from ${min} to ${max}.`);
}
