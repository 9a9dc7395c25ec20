/** `exopool traversal`: builds user-defined traversals and runs them. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { ExopoolError } from '@exopool/shared';
import { addHelpCommand } from '../lazy-commands.js';
import {
  Traversal,
  buildTraversal,
  engineNames,
  sqliteRowInput,
  sqliteTable,
  type EngineName,
  type TraversalResult,
} from '@exopool/bpf-storage';

interface RunOptions {
  readonly engine: EngineName;
  readonly input?: Buffer[];
  readonly table?: string;
  readonly rowid?: bigint[];
  readonly hops?: number;
  readonly stats?: true;
}

export function defineTraversal(command: Command): void {
  command.addHelpText(
    'after',
    `
Examples:
  exopool traversal build packages/bpf-storage/examples/sqlite-rowid.c -o /tmp/rowid
  exopool traversal run /tmp/rowid my.db --table users --rowid 1 --rowid 2 --engine page-cache-bpf

packages/bpf-storage/docs/traversals.md explains how to write one.`,
  );
  registerBuild(command);
  registerRun(command);
  addHelpCommand(command);
}

function registerBuild(traversal: Command): void {
  traversal
    .command('build')
    .description('compile a traversal for the kernel and for user level')
    .argument('<file.c>', 'source with first() and next(); see traversal.h')
    .option('-o, --out <folder>', 'folder for the result; default FILE.traversal')
    .action((source: string, { out }: { out?: string }) => {
      const { object, forKernel, fix } = buildTraversal(source, out);
      process.stdout.write(`${object}\n`);
      if (!forKernel)
        process.stderr.write(`exopool: clang is missing, so this runs only at user level; ${fix!}\n`);
    });
}

function registerRun(traversal: Command): void {
  traversal
    .command('run')
    .description(
      'run a traversal over a file; prints the bytes that it found, in hexadecimal, a line for each input',
    )
    .argument('<object>', 'output of `exopool traversal build`')
    .argument('<file>', 'file to traverse')
    .addOption(
      new Option('--engine <name>', 'engine that runs the traversal')
        .choices([...engineNames])
        .default('auto'),
    )
    .option('--input <hex>', 'input of at most 128 bytes; may be repeated', collect(parseHex))
    .option('--table <name>', 'table of a SQLite database, for sqlite-rowid.c; needs --rowid')
    .option('--rowid <number>', 'row of that table; may be repeated', collect(parseRowid))
    .option('--hops <number>', 'most blocks that a chain may read, default 1024', parseWhole)
    .option('--stats', 'print statistics of the chains, as JSON, to standard error')
    .action(async (object: string, file: string, options: RunOptions) => {
      await using loaded = await Traversal.load({
        object,
        file,
        engine: options.engine,
        hopsMax: options.hops,
      });
      const results = await loaded.run(inputsOf(file, options));
      for (const result of results) process.stdout.write(`${lineOf(result)}\n`);
      if (options.stats === true)
        process.stderr.write(`${JSON.stringify({ engine: loaded.engine, ...loaded.stats() })}\n`);
      if (results.some(({ status }) => status !== 'done')) process.exitCode = 1;
    });
}

function inputsOf(file: string, { input = [], rowid = [], table }: RunOptions): Buffer[] {
  if (rowid.length === 0 && input.length > 0) return input;
  if (rowid.length === 0 || table === undefined || input.length > 0)
    throw new ExopoolError('EXOPOOL_USAGE', 'give --input, or --table with --rowid');
  const found = sqliteTable(file, table);
  return rowid.map((id) => sqliteRowInput(found, id));
}

function lineOf(result: TraversalResult): string {
  if (result.status === 'done') return result.value.toString('hex');
  return result.status === 'failed' ? `${result.error.code}: ${result.error.message}` : 'not found';
}

function collect<T>(parse: (text: string) => T): (text: string, before?: T[]) => T[] {
  return (text, before = []) => [...before, parse(text)];
}

function parseHex(text: string): Buffer {
  if (!/^([\da-f]{2})+$/i.test(text)) throw new InvalidArgumentError('give bytes in hexadecimal.');
  return Buffer.from(text, 'hex');
}

function parseRowid(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  const rowid = BigInt(text);
  if (BigInt.asIntN(64, rowid) !== rowid) throw new InvalidArgumentError('give a number of at most 64 bits.');
  return rowid;
}

function parseWhole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  return Number(text);
}
