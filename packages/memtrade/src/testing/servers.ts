/** Real servers for the tests, each started privately: in a folder of its own, on a socket in it, no files shared. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface PrivateServer {
  readonly folder: string;
  readonly socket: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** PostgreSQL refuses to run as root; this user has no rights anywhere else either. */
const nobody = 65_534;

/** Folders where Debian keeps what is not on everybody's path. */
function programFolders(): string[] {
  const postgresql = '/usr/lib/postgresql';
  const versions = existsSync(postgresql) ? readdirSync(postgresql).sort().reverse() : [];
  return [
    ...versions.map((version) => join(postgresql, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
  ];
}

/** The program's path; `undefined` when it is not installed. */
export function findProgram(name: string): string | undefined {
  return programFolders()
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

export function privateFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `exopool-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

export function startRedis(): Promise<PrivateServer> {
  const folder = privateFolder('redis');
  const socket = join(folder, 'socket');
  const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', folder];
  return start(folder, socket, [findProgram('redis-server')!, ...args]);
}

export function startMemcached(): Promise<PrivateServer> {
  const folder = privateFolder('memcached');
  const socket = join(folder, 'socket');
  return start(folder, socket, [
    findProgram('memcached')!,
    '-u',
    'root',
    '-s',
    socket,
    '-m',
    '64',
    '-t',
    '2',
  ]);
}

/** A server with an empty database `postgres` and a user `exopool`. */
export async function startPostgresql(): Promise<PrivateServer> {
  const folder = privateFolder('postgresql');
  const data = join(folder, 'data');
  mkdirSync(data);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) for (const path of [folder, data]) chownSync(path, nobody, nobody);
  const drop = isRoot ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--'] : [];
  const initialize = [
    ...drop,
    findProgram('initdb')!,
    '-D',
    data,
    '-U',
    'exopool',
    '--auth=trust',
    '--no-sync',
  ];
  execFileSync(initialize[0]!, initialize.slice(1), { stdio: 'ignore', cwd: folder });
  const settings = ['-c', 'listen_addresses=', '-c', 'fsync=off', '-c', 'shared_buffers=16MB'];
  const command = [...drop, findProgram('postgres')!, '-D', data, '-k', folder, ...settings];
  const server = await start(folder, join(folder, '.s.PGSQL.5432'), command);
  // It listens before it takes anybody.
  while (spawnSync(findProgram('pg_isready')!, ['-q', '-h', folder]).status !== 0) await sleep(20);
  return server;
}

async function start(folder: string, socket: string, command: readonly string[]): Promise<PrivateServer> {
  const child = spawn(command[0]!, command.slice(1), { stdio: 'ignore', cwd: folder });
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  while (!(await answers(socket))) {
    if (child.exitCode !== null) throw new Error(`${command.join(' ')} ended with ${child.exitCode}`);
    await sleep(20);
  }
  return { folder, socket, pid: child.pid!, stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  // For PostgreSQL: a fast shutdown, whoever is connected.
  child.kill('SIGINT');
  await ended;
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket);
    client.on('connect', () => resolve(true)).on('error', () => resolve(false));
    client.unref();
    client.on('connect', () => client.destroy());
  });
}
