/** Helpers that define commands for the command tables. */
import { keyBytesMax } from '../keyspace/keyspace.js';
import type { Command, Run } from './command-table.js';
import { ReplyError } from './reply.js';

/** A key as a binary string. @throws ReplyError */
export function keyOf(argument: Buffer): string {
  if (argument.length > keyBytesMax) {
    throw new ReplyError(`ERR a key may have ${keyBytesMax} bytes, this one has ${argument.length}`);
  }
  return argument.toString('latin1');
}

/** A command on keys. */
export function define(
  name: string,
  arity: number,
  flags: readonly string[],
  group: string,
  summary: string,
  run: Run,
  keys: readonly [number, number, number] = [1, 1, 1],
): Command {
  const kind = flags.includes('write') ? '@write' : '@read';
  const categories = [kind, group === 'string' ? '@string' : '@keyspace', speedOf(flags)];
  return { name, arity, flags, keys, categories, group, summary, run };
}

/** A command without keys, perhaps a subcommand ("client|id"). */
export function defineKeyless(
  name: string,
  arity: number,
  flags: readonly string[],
  group: 'connection' | 'server' | 'generic',
  summary: string,
  run: Run,
): Command {
  const category = { connection: '@connection', server: '@admin', generic: '@keyspace' }[group];
  const categories = [category, speedOf(flags)];
  return { name, arity, flags, keys: [0, 0, 0], categories, group, summary, run };
}

/** A command that only contains subcommands. */
export function defineGroup(parent: Command, subcommands: readonly Command[]): Command {
  return {
    ...parent,
    subcommands: new Map(subcommands.map((each) => [each.name.slice(parent.name.length + 1), each])),
  };
}

function speedOf(flags: readonly string[]): string {
  return flags.includes('fast') ? '@fast' : '@slow';
}
