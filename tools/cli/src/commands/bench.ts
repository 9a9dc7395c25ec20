/** `exopool bench`: a suite of measurements, ours and its peers in the same run. */
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
  readonly keep?: true;
  readonly engines?: true;
  readonly vm?: true;
}

/** Fewer would measure nothing but the start. */
const recordsMin = 1000;
const recordsMax = 1_000_000_000;
/** The spread of a hundred is as good as it gets. */
const roundsMax = 100;
/** A window below a few calls of the slowest contender has no percentiles; one of an hour is a slip. */
const windowSecondsMin = 0.01;
const windowSecondsMax = 3600;

export function defineBench(command: Command): void {
  const names = suites.map(({ name, description }) => `  ${name.padEnd(10)} ${description}`);
  command
    .argument('<suite>', suites.map(({ name }) => name).join(', '))
    .option('--json <file>', 'write the figures there too')
    .option('--out <folder>', 'report.json, report.md and plots; else bench-results/SUITE-TIME')
    .option(
      '--picture <path>',
      'write PATH-light.svg and PATH-dark.svg: the figure of a README (suite lookup)',
    )
    .option('--quick', 'less data and shorter windows: minutes; ratios are rougher')
    .option('--only <names>', 'contenders by parts of their names, as in exopool,lmdb', parseNames)
    .option('--records <number>', 'size of the data set', parseRecords)
    .option('--rounds <number>', 'how often each contender has its turn', parseRounds)
    .option('--seconds <number>', 'length of a window of reads', parseSeconds)
    .option('--dir <folder>', 'where the data is made: on the disk to be measured; else $TMPDIR or /var/tmp')
    .option('--keep', 'leave the data, and take it as it is the next time')
    .option('--engines', 'our lookup engines against each other, by depth and chains in flight')
    .option(
      '--vm',
      'also in guests: with --engines instructions per hop, of other kernels; of suite cache swap; of suite harvest a disk for idle pages',
    )
    .addHelpText(
      'after',
      `
Suites:
${names.join('\n')}

Suite lookup: each contender runs alone in a process of its own, as root in a memory cgroup whose limit is a quarter of the data,
page cache included. They take turns; figures are medians of the rounds, with the least and the most. A ratio above 1
means that ours is better. Ctrl-C ends all of it and leaves nothing behind. The full form of lookup takes up to an hour,
and 40 GB of disk. Suite harvest takes up to 50 minutes (6 with --quick), and 8 GB of memory. Other work on the machine
spoils the figures: look at the spread.

Examples:
  exopool bench lookup --quick
  sudo exopool bench lookup --json lookup.json --dir /mnt/nvme
  exopool bench lookup --only exopool,lmdb --records 1000000 --keep
  exopool bench lookup --quick --picture docs/point-reads
  sudo exopool bench harvest --only redis,slab
  sudo exopool bench lookup --engines
  exopool bench cache --vm --only swap
  exopool bench harvest --vm --quick --only guest
  exopool bench lookup --engines --vm --quick

With --engines there is no other store: engines that run on this kernel look keys up in memory and on disks (as root also
on zram, which is as fast as the fastest), and with --vm instructions are counted in guests, for which it needs what
exopool vm needs; --only then names parts: ring, driver, null-block, fairness, extents.

Suite cache with --vm also compares swap to leased memory with swap to a disk, in guests with the kernel's nbd; --only swap
leaves it at that. Suite harvest with --vm also harvests Redis and memcached in guests of Linux 6.12, with zram and with zram
whose idle pages go to a disk; --only guest leaves it at that.`,
    )
    .action(bench);
}

async function bench(name: string, options: BenchOptions): Promise<void> {
  const suite = findSuite(name);
  if (options.engines && name !== 'lookup')
    throw new ExopoolError('EXOPOOL_USAGE', `--engines is for the suite lookup; ${name} has none`);
  if (options.vm && !options.engines && name === 'lookup')
    throw new ExopoolError(
      'EXOPOOL_USAGE',
      '--vm is for the suites cache and harvest, and with --engines for lookup',
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
  throw new ExopoolError('EXOPOOL_USAGE', `there is no suite "${name}"; there is ${known}`);
}

function parseNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('names between commas are expected.');
  return names;
}

function parseRecords(text: string): number {
  return numberIn(text, recordsMin, recordsMax, true);
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
  throw new InvalidArgumentError(`a${isWhole ? ' whole' : ''} number from ${min} to ${max} is expected.`);
}
