/** Commands about the server: COMMAND, CONFIG, INFO, TIME. */
import type { Command, Run } from './command-table.js';
import { defineGroup, defineKeyless } from './define-command.js';
import { matchesGlob } from './glob.js';
import { infoText } from './info.js';
import { ok, Pairs, ReplyError, Status, Verbatim, type Reply } from './reply.js';

const status = (text: string): Status => new Status(text);

/** COMMAND and its subcommands. They need the table that they are part of. */
function commandCommand(table: ReadonlyMap<string, Command>): Command {
  const all = (): Command[] => [...table.values()];
  const flags = ['loading', 'stale'];
  const define = (name: string, arity: number, summary: string, run: Run): Command =>
    defineKeyless(`command|${name}`, arity, flags, 'server', summary, run);
  const find = (argument: Buffer): Command | undefined => {
    const [name, subcommand] = argument.toString('latin1').toLowerCase().split('|', 2);
    const command = table.get(name!);
    return subcommand === undefined ? command : command?.subcommands?.get(subcommand);
  };
  const info: Run = (_, [, , ...names]) =>
    names.length === 0 ? all().map(describe) : names.map((name) => orNull(find(name)));
  const docs: Run = (_, [, , ...names]) => {
    const commands = names.length === 0 ? all() : names.flatMap((name) => find(name) ?? []);
    return new Pairs(commands.map((each) => [each.name, document(each)] as const));
  };
  return defineGroup(
    defineKeyless('command', -1, flags, 'server', 'About commands', () => all().map(describe)),
    [
      define('count', 2, 'How many there are', () => table.size),
      define('list', -2, 'Their names', (_, args) => {
        if (args.length > 2) throw new ReplyError('ERR syntax error');
        return all().map(({ name }) => name);
      }),
      define('info', -2, 'Arity, flags and keys', info),
      define('docs', -2, 'What they do', docs),
      define('help', 2, 'Lists the subcommands', () =>
        ['COMMAND <subcommand>. Subcommands are:', 'COUNT, DOCS [name ...], INFO [name ...], LIST, HELP'].map(
          status,
        ),
      ),
    ],
  );
}

function orNull(command: Command | undefined): Reply {
  return command === undefined ? null : describe(command);
}

function describe(command: Command): Reply {
  const { name, arity, flags, keys, categories, subcommands } = command;
  const below = [...(subcommands?.values() ?? [])].map(describe);
  return [name, arity, flags.map(status), ...keys, categories.map(status), [], [], below];
}

function document(command: Command): Reply {
  const { summary, group, subcommands } = command;
  const below = [...(subcommands?.values() ?? [])].map((each) => [each.name, document(each)] as const);
  const facts: [string, Reply][] = [
    ['summary', summary],
    ['since', '1.0.0'],
    ['group', group],
  ];
  if (below.length > 0) facts.push(['subcommands', new Pairs(below)]);
  return new Pairs(facts);
}

const getSettings: Run = ({ settings }, [, , ...patterns]) => {
  const globs = patterns.map((pattern) => pattern.toString('latin1'));
  const found = Object.entries(settings).filter(([name]) =>
    globs.some((glob) => matchesGlob(glob, name, true)),
  );
  return new Pairs(found);
};

const resetStatistics: Run = ({ counts, keyspace }) => {
  Object.assign(counts, { connections: 0, commands: 0, rejected: 0, errors: 0 });
  keyspace.resetCounts();
  return ok;
};

const info: Run = (server, [, ...sections]) =>
  new Verbatim(
    infoText(
      server,
      sections.map((section) => section.toString('latin1').toLowerCase()),
    ),
  );

const time: Run = () => {
  const microseconds = BigInt(Date.now()) * 1000n;
  return [String(microseconds / 1_000_000n), String(microseconds % 1_000_000n)];
};

const flags = ['noscript', 'loading', 'stale'];

/** Every command by name. */
export function commandTable(commands: readonly Command[]): ReadonlyMap<string, Command> {
  const table = new Map(commands.map((command) => [command.name, command]));
  const add = (command: Command): void => void table.set(command.name, command);
  add(commandCommand(table));
  add(
    defineGroup(
      defineKeyless('config', -2, [], 'server', 'Settings', () => null),
      [
        defineKeyless('config|get', -3, ['admin', ...flags], 'server', 'Settings by pattern', getSettings),
        defineKeyless('config|resetstat', 2, ['admin', ...flags], 'server', 'Zeroes counts', resetStatistics),
        defineKeyless('config|help', 2, flags, 'server', 'Lists the subcommands', () =>
          ['CONFIG <subcommand>. Subcommands are:', 'GET <pattern>, RESETSTAT, HELP'].map(status),
        ),
      ],
    ),
  );
  add(defineKeyless('info', -1, ['loading', 'stale'], 'server', 'State and statistics', info));
  add(defineKeyless('time', 1, ['loading', 'stale', 'fast'], 'server', 'The time', time));
  return table;
}
