/** The type of a command: its properties in COMMAND INFO, and the function that executes it. */
import type { Keyspace, Later } from '../keyspace/keyspace.js';
import { ReplyError, type Protocol, type Reply } from './reply.js';

/** One connection, as commands see and change it. */
export interface Session {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly connectedAtMs: number;
  lastCommand: string;
  lastActiveMs: number;
  name: string;
  protocol: Protocol;
  isAuthenticated: boolean;
  /** Set by CLIENT REPLY. `skip-next` becomes `skip` with the next command. */
  replies: 'on' | 'off' | 'skip' | 'skip-next';
  /** The connection ends after the replies so far. */
  isLeaving: boolean;
}

/** The server, as commands see it. */
export interface ServerView {
  readonly keyspace: Keyspace;
  readonly startedAtMs: number;
  readonly port: number;
  readonly clientsMax: number;
  readonly counts: { connections: number; commands: number; rejected: number; errors: number };
  /** Text and number settings that CONFIG GET shows, by name. */
  readonly settings: Readonly<Record<string, string>>;
  sessions(): Iterable<Session>;
  /** True when the server has no password. */
  readonly isOpen: boolean;
  passwordMatches(password: Buffer): boolean;
  /** Lines of INFO's section about leased memory. */
  describeMemory(): readonly string[];
}

export type Run = (server: ServerView, args: readonly Buffer[], session: Session) => Later<Reply>;

export interface Command {
  /** Lower case; `client|id` for a subcommand. */
  readonly name: string;
  /** Number of arguments with the name; if negative, the least number. */
  readonly arity: number;
  readonly flags: readonly string[];
  /** First key, last key (negative: from the end), step; zeros for a command without keys. */
  readonly keys: readonly [number, number, number];
  readonly categories: readonly string[];
  readonly group: string;
  readonly summary: string;
  readonly run: Run;
  readonly subcommands?: ReadonlyMap<string, Command>;
}

export function hasArity(command: Command, count: number): boolean {
  return command.arity >= 0 ? count === command.arity : count >= -command.arity;
}

/**
 * Finds the command of a request.
 * @throws ReplyError for an unknown command or a wrong number of arguments
 */
export function findCommand(table: ReadonlyMap<string, Command>, args: readonly Buffer[]): Command {
  const name = args[0]!.toString('latin1');
  const command = table.get(name) ?? table.get(name.toLowerCase());
  if (command === undefined) throw unknownCommand(name, args);
  if (command.subcommands === undefined || (args.length < 2 && hasArity(command, args.length))) {
    return checkArity(command, args);
  }
  if (args.length < 2) return checkArity(command, args);
  const second = args[1]!.toString('latin1');
  const subcommand = command.subcommands.get(second.toLowerCase());
  if (subcommand !== undefined) return checkArity(subcommand, args);
  throw new ReplyError(
    `ERR unknown subcommand '${cString(second).slice(0, 128)}'. Try ${command.name.toUpperCase()} HELP.`,
  );
}

function checkArity(command: Command, args: readonly Buffer[]): Command {
  if (!hasArity(command, args.length)) throw wrongArity(command.name);
  return command;
}

export function wrongArity(name: string): ReplyError {
  return new ReplyError(`ERR wrong number of arguments for '${name}' command`);
}

/** The message of Redis: 128 characters of arguments, each up to its first zero byte. */
function unknownCommand(name: string, args: readonly Buffer[]): ReplyError {
  let shown = '';
  for (let index = 1; index < args.length && shown.length < 128; index++) {
    const text = args[index]!.toString('latin1', 0, 128);
    shown += `'${cString(text.slice(0, 128 - shown.length))}' `;
  }
  return new ReplyError(
    `ERR unknown command '${cString(name).slice(0, 128)}', with args beginning with: ${shown}`,
  );
}

function cString(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
