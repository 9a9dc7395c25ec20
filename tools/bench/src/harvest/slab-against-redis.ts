/**
 * The slab server against Redis: random reads of 1000 bytes in 64 MiB over loopback TCP. One thread of C or C++ in
 * another process loads each of them, in turn.
 *
 *   pipelined   50 connections, 16 requests at a time       capacity and CPU time
 *   single      1 connection, 1 request at a time           latency of one request
 *   10 K/s      4 connections, paced, 16 or 1 at a time;    cost of serving for the application beside it
 *               only the slab server
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  loadSlabServer,
  SlabSession,
  type SlabLoadOptions,
  type SlabSessionOptions,
} from '@exopool/native/internal';
import { freePort } from '@exopool/demo/stack';
import { MiB } from '@exopool/shared';
import { processCpuSeconds } from '../machine/process-cpu.js';
import { needProgram } from './applications/programs.js';
import { listens } from './applications/caged-program.js';
import { slabBytes } from './lease.js';
import type { HarvestPlan } from './plan.js';
import { calmest } from './stolen-time.js';
import { redisBenchmark, type RedisBenchmark } from './redis-benchmark.js';
import { SlabProducer } from './slab-producer.js';

/** One load of one server. */
export interface ServerLoad {
  readonly opsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of the server's process per request. */
  readonly cpuUs: number;
}

export interface SlabRound {
  readonly slab: Readonly<Record<'pipelined' | 'single', ServerLoad>>;
  readonly redis: Readonly<Record<'pipelined' | 'single', ServerLoad>>;
  /** Share of one core at 10,000 requests a second. */
  readonly cpuShare10k: Readonly<Record<'pipelined' | 'single', number>>;
}

const valueBytes = 1000;
const keys = Math.floor(slabBytes / valueBytes);
const shapes = { pipelined: { connections: 50, batch: 16 }, single: { connections: 1, batch: 1 } } as const;
/** redis-benchmark runs for a number of requests, not for a time. A trial of this many shows the number to use. */
const trialRequests = 20_000;
const paced = { connections: 4, ratePerSecond: 10_000 } as const;
/** Sets per key, so that each key is present with a probability of 1 - 1 / e^8. */
const fillTimes = 8;

/** @throws ExopoolError `EXOPOOL_NOT_FOUND` without Redis. */
export async function slabRounds(plan: HarvestPlan['slab'], signal: AbortSignal): Promise<SlabRound[]> {
  const redis = await RedisServer.start(signal);
  try {
    const slab = await SlabTarget.start(signal);
    try {
      const rounds: SlabRound[] = [];
      for (let round = 0; round < plan.rounds; round += 1) {
        signal.throwIfAborted();
        rounds.push(await oneRound(plan, redis, slab, round % 2 === 0));
      }
      return rounds;
    } finally {
      await slab.close();
    }
  } finally {
    await redis.close();
  }
}

async function oneRound(
  { seconds, pacedSeconds }: HarvestPlan['slab'],
  redis: RedisServer,
  slab: SlabTarget,
  isRedisFirst: boolean,
): Promise<SlabRound> {
  const loadRedis = async (): Promise<SlabRound['redis']> => ({
    pipelined: await calmest(() => redis.load(shapes.pipelined, seconds)),
    single: await calmest(() => redis.load(shapes.single, seconds)),
  });
  const first = isRedisFirst ? await loadRedis() : undefined;
  const pipelined = await calmest(() => slab.load({ ...shapes.pipelined, seconds }));
  const single = await calmest(() => slab.load({ ...shapes.single, seconds }));
  const cpuShare = async (batch: number): Promise<number> => {
    const { cpuUs, opsPerSecond } = await calmest(() =>
      slab.load({ ...paced, batch, seconds: pacedSeconds }),
    );
    return (cpuUs * opsPerSecond) / 1e6;
  };
  const cpuShare10k = {
    pipelined: await cpuShare(shapes.pipelined.batch),
    single: await cpuShare(shapes.single.batch),
  };
  return {
    redis: first ?? (await loadRedis()),
    slab: { pipelined, single },
    cpuShare10k,
  };
}

class RedisServer {
  static async start(signal: AbortSignal): Promise<RedisServer> {
    const program = needProgram('redis-server', 'redis-server');
    const benchmark = needProgram('redis-benchmark', 'redis-tools');
    const port = await freePort();
    const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    // The parent-death signal: the kernel kills it with this process.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...words], { stdio: 'ignore' });
    await once(child, 'spawn');
    const server = new RedisServer(child, port, benchmark, signal);
    try {
      await server.#fill();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  private constructor(
    private readonly child: ChildProcess,
    private readonly port: number,
    private readonly program: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Approximate duration. */
  async load(shape: { connections: number; batch: number }, seconds: number): Promise<ServerLoad> {
    const trial = await redisBenchmark(this.#options('get', shape, trialRequests));
    const requests = Math.ceil(trial.opsPerSecond * seconds);
    const before = processCpuSeconds(this.child.pid!);
    const result = await redisBenchmark(this.#options('get', shape, requests));
    return { ...result, cpuUs: ((processCpuSeconds(this.child.pid!) - before) * 1e6) / requests };
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'exit');
    if (this.child.kill('SIGKILL')) await ended;
  }

  async #fill(): Promise<void> {
    while (!(await listens({ host: '127.0.0.1', port: this.port }))) this.signal.throwIfAborted();
    await redisBenchmark(this.#options('set', shapes.pipelined, keys * fillTimes));
  }

  #options(
    test: 'get' | 'set',
    shape: { connections: number; batch: number },
    requests: number,
  ): RedisBenchmark {
    const { program, port, signal } = this;
    return { program, port, test, requests, ...shape, valueBytes, keys, signal };
  }
}

class SlabTarget {
  static async start(signal: AbortSignal): Promise<SlabTarget> {
    const producer = await SlabProducer.start(1, signal);
    try {
      const login = producer.sessionOptions(1);
      await fill(login);
      return new SlabTarget(producer, login);
    } catch (error) {
      await producer.close();
      throw error;
    }
  }

  private constructor(
    private readonly producer: SlabProducer,
    private readonly login: SlabSessionOptions,
  ) {}

  async load(
    shape: Pick<SlabLoadOptions, 'connections' | 'batch' | 'seconds' | 'ratePerSecond'>,
  ): Promise<ServerLoad> {
    const before = await this.producer.cpuSeconds();
    const { requests, seconds, p50Us, p99Us } = await loadSlabServer({ ...this.login, ...shape, valueBytes });
    const cpuSeconds = (await this.producer.cpuSeconds()) - before;
    return { opsPerSecond: requests / seconds, p50Us, p99Us, cpuUs: (cpuSeconds * 1e6) / requests };
  }

  close(): Promise<void> {
    return this.producer.close();
  }
}

/** Writes all memory first: unwritten memory is one page of zeroes, which stays in the processor's cache. */
async function fill(login: SlabSessionOptions): Promise<void> {
  const session = await SlabSession.connect(login);
  try {
    for (let offset = 0; offset < slabBytes; offset += MiB)
      await session.writeMany([{ slab: 0, offset, data: Buffer.alloc(MiB, 1) }]);
  } finally {
    session.close();
  }
}
