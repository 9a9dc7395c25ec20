/** Redis and memcached under a load of reads and some writes, Zipf 0.7 over all items. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CagedProcess } from '../../machine/caged-process.js';
import type { KeyValuePlan } from '../load/key-value-load.js';
import type { LoadRequest } from '../load/load-main.js';
import type { LoadWindow } from '../load/window.js';
import type { Protocol } from '../load/wire.js';
import type { Application, ApplicationPlan, RunningApplication } from './application.js';
import { CagedProgram, listens } from './caged-program.js';
import { needProgram } from './programs.js';

/** Bytes per item in a server: 1024 from its allocator for the value, and the key and entry. */
const itemBytes = 1180;
export const theta = 0.7;
/** On a machine with two cores, more of them would only wait for each other. */
const connections = 8;
/** A tenth of the server's capacity: a server that is always busy has hardly any idle memory. */
const requestsPerSecond = 5000;
const burstFactor = 3;
const loadMain = fileURLToPath(new URL('../load/load-main.js', import.meta.url));

/**
 * Permitted increase of the mean time of a Redis command, in µs: 1/50 of the half millisecond that one client in a
 * hundred waits for it. The metric's default of 0.5 µs is for servers whose clients wait for little else than commands.
 */
const commandSlackUs = 9;

interface Server {
  readonly protocol: Protocol;
  readonly command: (socket: string, bytes: number) => string[];
  readonly metric: (socket: string) => string;
  readonly dropSlack?: number;
}

const redisServer: Server = {
  protocol: 'redis',
  command: redisCommand,
  metric: (socket) => `redis://${socket}?by=commands`,
  dropSlack: commandSlackUs,
};

const memcachedServer: Server = {
  protocol: 'memcached',
  command: memcachedCommand,
  metric: (socket) => `memcached://${socket}`,
};

/** @param rate requests a second. Default: a tenth of the capacity on a machine with two cores. */
export function redisAt(rate = requestsPerSecond): Application {
  return {
    name: 'redis',
    workload: `95 % GET, 5 % SET, 1000 bytes, Zipf ${theta}, ${rate} requests/s over ${connections} connections`,
    start: (plan) => startServer(redisServer, plan, rate),
  };
}

/** @param rate as for {@link redisAt}. */
export function memcachedAt(rate = requestsPerSecond): Application {
  return {
    name: 'memcached',
    workload: `95 % get, 5 % set, 1000 bytes, Zipf ${theta}, ${rate} requests/s over ${connections} connections`,
    start: (plan) => startServer(memcachedServer, plan, rate),
  };
}

export const redis = redisAt();
export const memcached = memcachedAt();

function redisCommand(socket: string): string[] {
  const program = needProgram('redis-server', 'redis-server');
  return [program, '--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no'];
}

function memcachedCommand(socket: string, bytes: number): string[] {
  const program = needProgram('memcached', 'memcached');
  // Room for all items: an eviction would cause misses that the harvester did not cause.
  const mebibytes = Math.ceil((bytes * 2) / 2 ** 20);
  return [program, '-u', 'root', '-s', socket, '-m', String(mebibytes), '-t', '2'];
}

async function startServer(
  { protocol, command, metric, dropSlack }: Server,
  { bytes, folder, signal }: ApplicationPlan,
  rate: number,
): Promise<RunningApplication> {
  const socket = join(folder, `${protocol}.sock`);
  const server = await CagedProgram.start(protocol, command(socket, bytes), folder);
  const items = Math.max(1, Math.floor(bytes / itemBytes));
  const argument: KeyValuePlan = { protocol, socket, items, theta, connections, seed: 1 };
  const load = new CagedProcess({
    cage: undefined,
    module: loadMain,
    argument,
    nodeOptions: [],
    env: {},
    signal,
  });
  const close = async (): Promise<void> => {
    await load.close();
    await server.close();
  };
  const ask = (request: LoadRequest): Promise<unknown> => load.ask(request);
  try {
    await server.whenUp(() => listens(socket));
    await ask({ type: 'fill' });
    return {
      cgroup: server.cgroup,
      metric: metric(socket),
      ...(dropSlack === undefined ? {} : { dropSlack }),
      run: async (seconds) => (await ask({ type: 'run', seconds, rate })) as LoadWindow,
      runFlatOut: async (seconds) => (await ask({ type: 'run', seconds, rate: undefined })) as LoadWindow,
      runBurst: async (seconds) =>
        (await ask({
          type: 'run',
          seconds,
          rate: rate * burstFactor,
          isUniform: true,
        })) as LoadWindow,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
