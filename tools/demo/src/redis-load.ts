/**
 * A process that fills a Redis server with real data, then reads a tenth of it at a fixed rate. At a fixed rate a
 * slow-down shows as latency, and not as a lower rate.
 */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { Store } from '@exopool/bpf-storage';
import { runAsChild, tellParent, type Report } from './child-process.js';
import type { RedisFigures, RedisWindow } from './messages.js';
import { seededRandom } from './random.js';
import { Latencies } from './latencies.js';
import { summaryOf } from './statistics.js';
import { zipf } from './zipf.js';

export interface RedisLoadPlan {
  readonly port: number;
  readonly storePath: string;
  /** Approximate bytes of all values. */
  readonly fillBytes: number;
  readonly seed: number;
}

/** A light load: on a small machine the store's readers need the processors. */
const readsPerSecond = 500;
const tickMs = 2;
/** Share of the keys that are read. A harvester can take the rest. */
const hotShare = 0.1;
const pipelineCommands = 500;

async function main(plan: RedisLoadPlan, signal: AbortSignal, report: Report): Promise<void> {
  const redis = new Redis(plan.port, '127.0.0.1', { maxRetriesPerRequest: 1, retryStrategy: () => null });
  redis.on('error', () => undefined); // every command reports its own failure
  try {
    const keys = await fill(redis, plan, signal);
    const load = new RedisLoad(redis, keys, plan.seed);
    report.start(() => load.figures());
    process.on('message', ({ window }: { window: RedisWindow }) => load.enter(window));
    tellParent({ type: 'ready', facts: { keys: keys.length } });
    await load.run(signal);
  } finally {
    redis.disconnect();
  }
}

/** @returns the keys, in the order in which they were set. */
async function fill(redis: Redis, plan: RedisLoadPlan, signal: AbortSignal): Promise<Buffer[]> {
  await using store = await Store.open(plan.storePath, {
    readOnly: true,
    createIfMissing: false,
    cacheBytes: 0,
  });
  const keys: Buffer[] = [];
  let bytes = 0;
  for (let copy = 0; bytes < plan.fillBytes; copy += 1) {
    const before = bytes;
    let pipeline = redis.pipeline();
    for await (const [name, value] of store.range({ signal })) {
      if (bytes >= plan.fillBytes) break;
      const key = Buffer.concat([name, Buffer.from(`#${copy}`)]);
      pipeline.set(key, value);
      keys.push(key);
      bytes += value.length;
      if (pipeline.length < pipelineCommands) continue;
      await pipeline.exec();
      pipeline = redis.pipeline();
    }
    await pipeline.exec();
    // Empty values would never fill the server.
    if (bytes === before) break;
  }
  return keys;
}

class RedisLoad {
  readonly #redis: Redis;
  readonly #keys: readonly Buffer[];
  readonly #nextItem: () => number;
  readonly #recent = new Latencies();
  readonly #windows: Readonly<Record<RedisWindow, Latencies>> = {
    before: new Latencies(),
    during: new Latencies(),
    beside: new Latencies(),
  };
  #window: RedisWindow = 'before';
  #usedBytes = 0;

  constructor(redis: Redis, keys: readonly Buffer[], seed: number) {
    this.#redis = redis;
    this.#keys = keys;
    this.#nextItem = zipf(Math.max(1, Math.floor(keys.length * hotShare)), seededRandom(seed));
  }

  enter(window: RedisWindow): void {
    this.#window = window;
  }

  figures(): RedisFigures {
    const recent = summaryOf(this.#recent);
    this.#recent.reset();
    void this.#readUsedBytes();
    const { before, during, beside } = this.#windows;
    const windows = { before: summaryOf(before), during: summaryOf(during), beside: summaryOf(beside) };
    return { usedBytes: this.#usedBytes, recent, windows };
  }

  /** An open loop: sends each request when it is due, even if earlier answers are missing. */
  async run(signal: AbortSignal): Promise<void> {
    const startMs = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startMs) * readsPerSecond) / 1000);
      for (; sent < due; sent += 1) void this.#readOne();
    }, tickMs);
    try {
      await once(signal, 'abort');
    } finally {
      clearInterval(timer);
    }
  }

  async #readOne(): Promise<void> {
    const key = this.#keys[this.#nextItem()];
    if (key === undefined) return;
    const startMs = performance.now();
    try {
      await this.#redis.getBuffer(key);
    } catch {
      return; // the server has ended, and so will this process
    }
    const elapsedMs = performance.now() - startMs;
    this.#recent.record(elapsedMs);
    this.#windows[this.#window].record(elapsedMs);
  }

  async #readUsedBytes(): Promise<void> {
    const info = await this.#redis.info('memory').catch(() => '');
    this.#usedBytes = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? this.#usedBytes);
  }
}

const plan = JSON.parse(process.argv[2] ?? '{}') as RedisLoadPlan;
await runAsChild((signal, report) => main(plan, signal, report));
