/** Commands about the connection: authentication, protocol version, client names. */
import type { Command, Run, ServerView, Session } from './command-table.js';
import { defineGroup, defineKeyless } from './define-command.js';
import { integerOf } from './numbers.js';
import { ok, Pairs, ReplyError, Status, Verbatim, type Reply } from './reply.js';

/** Clients choose their commands by this version. The commands here are those of Redis 7.0.15. */
export const redisVersion = '7.0.15';

const syntaxError = (): ReplyError => new ReplyError('ERR syntax error');
const wrongPassword = (): ReplyError =>
  new ReplyError('WRONGPASS invalid username-password pair or user is disabled.');
const word = (argument: Buffer | undefined): string | undefined => argument?.toString('latin1').toLowerCase();

/** The only user is "default". If the server has no password, it accepts any password. */
function authenticate(server: ServerView, session: Session, user: Buffer, password: Buffer): void {
  const isRight =
    user.toString('latin1') === 'default' && (server.isOpen || server.passwordMatches(password));
  if (!isRight) throw wrongPassword();
  session.isAuthenticated = true;
}

const auth: Run = (server, args, session) => {
  if (args.length > 3) throw syntaxError();
  if (args.length === 2 && server.isOpen) {
    throw new ReplyError(
      'ERR AUTH <password> called without any password configured for the default user. ' +
        'Are you sure your configuration is correct?',
    );
  }
  authenticate(server, session, args.length === 3 ? args[1]! : Buffer.from('default'), args.at(-1)!);
  return ok;
};

const hello: Run = (server, args, session) => {
  const protocol = args[1] === undefined ? session.protocol : protocolOf(args[1]);
  let login: readonly [Buffer, Buffer] | undefined;
  let name: string | undefined;
  for (let at = 2; at < args.length; at++) {
    const option = word(args[at]);
    if (option === 'auth' && at + 2 < args.length) {
      login = [args[at + 1]!, args[at + 2]!];
      at += 2;
    } else if (option === 'setname' && at + 1 < args.length) {
      name = nameOf(args[++at]!);
    } else {
      throw new ReplyError(
        `ERR Syntax error in HELLO option '${args[at]!.toString('latin1').slice(0, 128)}'`,
      );
    }
  }
  if (login !== undefined) authenticate(server, session, ...login);
  if (!session.isAuthenticated) {
    throw new ReplyError(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH ' +
        '<user> <pass> option can be used to authenticate the client and select the RESP protocol version at the ' +
        'same time',
    );
  }
  if (name !== undefined) session.name = name;
  session.protocol = protocol;
  return new Pairs([
    ['server', 'redis'],
    ['version', redisVersion],
    ['proto', protocol],
    ['id', session.id],
    ['mode', 'standalone'],
    ['role', 'master'],
    ['modules', []],
  ]);
};

function protocolOf(argument: Buffer): 2 | 3 {
  let version: bigint;
  try {
    version = integerOf(argument);
  } catch {
    throw new ReplyError('ERR Protocol version is not an integer or out of range');
  }
  if (version === 2n) return 2;
  if (version === 3n) return 3;
  throw new ReplyError('NOPROTO unsupported protocol version');
}

function nameOf(argument: Buffer): string {
  const name = argument.toString('latin1');
  if (!/^[!-~]*$/.test(name)) {
    throw new ReplyError('ERR Client names cannot contain spaces, newlines or special characters.');
  }
  return name;
}

const reset: Run = (server, _, session) => {
  session.protocol = 2;
  session.name = '';
  session.replies = 'on';
  session.isAuthenticated = server.isOpen;
  return new Status('RESET');
};

const int32End = 2n ** 31n;

const select: Run = (_, [, index]) => {
  const database = integerOf(index!);
  if (database < -int32End || database >= int32End) {
    throw new ReplyError('ERR value is out of range, value must between -2147483648 and 2147483647');
  }
  if (database !== 0n) throw new ReplyError('ERR DB index is out of range');
  return ok;
};

const ping: Run = (_, args) => {
  if (args.length > 2) throw new ReplyError("ERR wrong number of arguments for 'ping' command");
  return args[1] ?? new Status('PONG');
};

const quit: Run = (_, __, session) => {
  session.isLeaving = true;
  return ok;
};

const setName: Run = (_, [, , name], session) => {
  session.name = nameOf(name!);
  return ok;
};

const setReplies: Run = (_, [, , mode], session) => {
  const wanted = word(mode);
  if (wanted === 'on') session.replies = 'on';
  else if (wanted === 'off') session.replies = 'off';
  else if (wanted !== 'skip') throw syntaxError();
  else if (session.replies !== 'off') session.replies = 'skip-next';
  return ok;
};

const list: Run = (server, args) => {
  const [option, first, ...rest] = args.slice(2);
  let sessions = [...server.sessions()];
  if (word(option) === 'id' && first !== undefined) {
    const ids = new Set([first, ...rest].map(clientIdOf));
    sessions = sessions.filter(({ id }) => ids.has(id));
  } else if (word(option) === 'type' && first !== undefined && rest.length === 0) {
    const type = first.toString('latin1');
    if (!['normal', 'master', 'replica', 'slave', 'pubsub'].includes(type.toLowerCase())) {
      throw new ReplyError(`ERR Unknown client type '${type}'`);
    }
    if (type.toLowerCase() !== 'normal') sessions = [];
  } else if (option !== undefined) {
    throw syntaxError();
  }
  return new Verbatim(sessions.map(describe).join(''));
};

function clientIdOf(argument: Buffer): number {
  try {
    return Number(integerOf(argument));
  } catch {
    throw new ReplyError('ERR Invalid client ID');
  }
}

function describe(session: Session): string {
  const age = Math.floor((Date.now() - session.connectedAtMs) / 1000);
  const idle = Math.floor((Date.now() - session.lastActiveMs) / 1000);
  const { id, address, localAddress, name, lastCommand, protocol } = session;
  return (
    `id=${id} addr=${address} laddr=${localAddress} fd=${id} name=${name} age=${age} idle=${idle} flags=N db=0 ` +
    `sub=0 psub=0 ssub=0 multi=-1 events=r cmd=${lastCommand || 'NULL'} user=default redir=-1 resp=${protocol}\n`
  );
}

/** For CLIENT NO-EVICT. This server never evicts clients, so only the syntax is checked. */
const onOff: Run = (_, [, , mode]) => {
  if (word(mode) !== 'on' && word(mode) !== 'off') throw syntaxError();
  return ok;
};

const help: Reply = [
  'CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'GETNAME, ID, INFO, LIST [TYPE type | ID id ...], NO-EVICT ON|OFF, REPLY ON|OFF|SKIP, SETNAME name, HELP',
].map((line) => new Status(line));

const flags = ['noscript', 'loading', 'stale'];
const fast = [...flags, 'fast'];

function client(name: string, arity: number, summary: string, run: Run): Command {
  return defineKeyless(`client|${name}`, arity, flags, 'connection', summary, run);
}

export const connectionCommands: readonly Command[] = [
  defineKeyless('auth', -2, [...fast, 'no_auth'], 'connection', 'Says who is there', auth),
  defineKeyless('hello', -1, [...fast, 'no_auth'], 'connection', 'Chooses the protocol', hello),
  defineKeyless('reset', 1, [...fast, 'no_auth'], 'connection', 'Starts the connection over', reset),
  defineKeyless('quit', -1, [...fast, 'no_auth'], 'connection', 'Ends the connection', quit),
  defineKeyless('select', 2, ['loading', 'stale', 'fast'], 'connection', 'Database 0, the only one', select),
  defineKeyless('ping', -1, ['fast'], 'connection', 'PONG, or what was sent', ping),
  defineKeyless('echo', 2, ['fast'], 'connection', 'What was sent', (_, [, text]) => text!),
  defineGroup(
    defineKeyless('client', -2, [], 'connection', 'About connections', () => null),
    [
      client('id', 2, 'The number of this connection', (_, __, session) => session.id),
      client('getname', 2, 'The name of this connection', (_, __, session) => session.name || null),
      client('setname', 3, 'Names this connection', setName),
      client('info', 2, 'This connection', (_, __, session) => new Verbatim(describe(session))),
      client('list', -2, 'All connections', list),
      client('reply', 3, 'Whether to send replies', setReplies),
      client('no-evict', 3, 'Accepted without effect', onOff),
      client('help', 2, 'Lists the subcommands', () => help),
    ],
  ),
];
