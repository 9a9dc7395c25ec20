/**
 * Suite cache: gets over loopback, all of them hits, from one Node.js program, against Redis with ioredis.
 *
 * Fairness: all contenders have the same keys and values, drawn from the same Zipf distribution. Each server has its
 * own process. Contenders take turns within every round, and the length of every answer is checked. Redis has
 * auto-pipelining. Its secured form adds TLS and encryption in the client, which the sealed cache includes.
 */
import { redisBenchmark } from '../harvest/redis-benchmark.js';
import { needProgram } from '../harvest/applications/programs.js';
import { SlabProducer } from '../harvest/slab-producer.js';
import { RespServer } from '@exopool/memtrade';
import { sealModes } from '@exopool/native/internal';
import { MiB, toExopoolError } from '@exopool/shared';
import { assertKnown, isWanted } from '../only.js';
import { rotated } from '../lookup/plan.js';
import type { Driven } from '../lookup/drive.js';
import { spreadOf } from '../statistics.js';
import type { Row, SuiteOptions, SuiteResult } from '../suite.js';
import type { CacheContender } from './contenders/contender.js';
import { leasedCache, nameOfSealed } from './contenders/exopool.js';
import { memcachedName, MemcachedServer } from './contenders/memcached.js';
import { redisNames, RedisServer } from './contenders/redis.js';
import { measureLoss, type Loss } from './loss.js';
import { drawKeys, fill, keyOf, measure } from './measure.js';
import { cachePlan, recordsOf, rowName, shapes, valueSizes, type CachePlan, type Shape } from './plan.js';
import { cachePlots } from './plots.js';
import { cacheRatios, checksOf, targets, targetsAtMost } from './ratios.js';
import { swapRatios, swapRows } from './swap.js';

const contenderNames = [...sealModes.map(nameOfSealed), ...redisNames, memcachedName];
/** Settings of redis-benchmark: connections, requests in flight on each, and requests in all. */
const respLoad = { connections: 50, batch: 16, requests: 100_000, valueBytes: 1024, keys: 20_000 } as const;

export async function runCache(options: SuiteOptions): Promise<SuiteResult> {
  assertKnown(options.only, [...contenderNames, ...(options.vm ? ['swap'] : [])]);
  const plan = cachePlan(options);
  const notes: string[] = [];
  const isSwapAlone = options.vm && options.only?.every((name) => name === 'swap') === true;
  const { rows, loss } = isSwapAlone ? { rows: [] } : await hostRows(plan, options, notes);
  if (options.vm) rows.push(...(await orNote(notes, options, () => swapRows(options))).flat());
  const ratios = { ...cacheRatios(rows), ...swapRatios(rows) };
  const checks = checksOf(ratios);
  return {
    suite: 'cache',
    setup: { ...plan, quick: options.quick, targets, targets_at_most: targetsAtMost },
    notes: [...new Set(notes)],
    rows,
    ratios,
    checks: loss === undefined ? checks : { ...checks, loss_without_failures: loss.failures === 0 },
    plots: cachePlots(rows, loss),
  };
}

async function hostRows(
  plan: CachePlan,
  options: SuiteOptions,
  notes: string[],
): Promise<{ rows: Row[]; loss?: Loss | undefined }> {
  const rows: Row[] = [];
  for (const valueBytes of valueSizes) rows.push(...(await sizeRows(plan, valueBytes, options, notes)));
  rows.push(...(await orNote(notes, options, () => respRows(options))).flat());
  rows.push({
    name: 'local memory',
    contender: 'exopool',
    engine: `${plan.pairs} pairs`,
    metadata_bytes_per_pair: await pairBytes(plan, options.signal),
  });
  options.say('a producer is killed');
  const [loss] = await orNote(notes, options, () => measureLoss(plan.lossSeconds, options.signal));
  if (loss !== undefined) rows.push(lossRow(loss));
  return { rows, loss };
}

async function sizeRows(
  plan: CachePlan,
  valueBytes: number,
  options: SuiteOptions,
  notes: string[],
): Promise<Row[]> {
  const { signal } = options;
  const producer = await SlabProducer.start(sealModes.length, signal);
  const redis = await RedisServer.start(signal);
  const [memcached] = await orNote(notes, options, () => MemcachedServer.start(signal));
  const contenders: CacheContender[] = [];
  try {
    for (const mode of sealModes) contenders.push(await leasedCache(producer, mode, 1));
    contenders.push(redis.plain(), redis.secured());
    if (memcached !== undefined) contenders.push(await memcached.client());
    const taking = contenders.filter(({ name }) => isWanted(options.only, name));
    const records = recordsOf(plan, valueBytes);
    for (const contender of taking) await fill(contender, records, valueBytes);
    const keys = drawKeys(records);
    const measured = new Map<string, Driven[]>();
    for (let round = 0; round < plan.rounds; round += 1) {
      options.say(`${valueBytes} B: round ${round + 1}`);
      for (const shape of shapes) {
        for (const contender of rotated(taking, round)) {
          signal.throwIfAborted();
          const driven = await measure(contender, shape, { keys, valueBytes, seconds: plan.seconds });
          const place = `${contender.name}\n${shape.name}`;
          measured.set(place, [...(measured.get(place) ?? []), driven]);
        }
      }
    }
    return shapes.flatMap((shape) =>
      taking.map((contender) =>
        rowOf(contender, valueBytes, shape, measured.get(`${contender.name}\n${shape.name}`) ?? []),
      ),
    );
  } finally {
    await Promise.allSettled(contenders.map((contender) => contender.close()));
    await memcached?.close();
    await redis.close();
    await producer.close();
  }
}

function rowOf(contender: CacheContender, valueBytes: number, shape: Shape, rounds: readonly Driven[]): Row {
  const rates = spreadOf(rounds.map(({ calls, seconds }) => calls / seconds));
  const percentile = (of: 'p50Us' | 'p99Us' | 'p999Us'): number =>
    spreadOf(rounds.map(({ percentiles }) => percentiles?.[of] ?? NaN)).median;
  return {
    name: rowName(valueBytes, shape),
    contender: contender.name,
    engine: contender.by,
    ops_per_s: rates.median,
    ops_per_s_min: rates.min,
    ops_per_s_max: rates.max,
    p50_us: percentile('p50Us'),
    p99_us: percentile('p99Us'),
    p999_us: percentile('p999Us'),
  };
}

/** Runs redis-benchmark against the RESP front end over leased memory, and against Redis. */
async function respRows(options: SuiteOptions): Promise<Row[]> {
  const { signal } = options;
  options.say('redis-benchmark');
  const program = needProgram('redis-benchmark', 'redis-tools');
  const redis = await RedisServer.start(signal);
  const producer = await SlabProducer.start(2, signal);
  try {
    const { cache } = await leasedCache(producer, 'aes-128-gcm', 2);
    const front = await RespServer.listen({ tier: cache, host: '127.0.0.1', port: 0 });
    try {
      const rows: Row[] = [];
      for (const [contender, port] of [
        ['exopool --resp', front.port] as const,
        ['redis', redis.port] as const,
      ]) {
        for (const test of ['set', 'get'] as const) {
          const { opsPerSecond, p50Us, p99Us } = await redisBenchmark({
            program,
            port,
            test,
            signal,
            ...respLoad,
          });
          const name = `redis-benchmark ${test} ${respLoad.valueBytes} B, 50 × 16`;
          rows.push({ name, contender, ops_per_s: opsPerSecond, p50_us: p50Us, p99_us: p99Us });
        }
      }
      return rows;
    } finally {
      await front.close();
    }
  } finally {
    await producer.close();
    await redis.close();
  }
}

/** Local memory per pair by the cache's own count: index, segments, lately evicted keys. */
async function pairBytes({ pairs }: CachePlan, signal: AbortSignal): Promise<number> {
  const value = Buffer.alloc(16);
  const batch = 1000;
  const slabs = Math.ceil((pairs * 64) / (64 * MiB)) + 1;
  const producer = await SlabProducer.start(slabs, signal);
  try {
    const { cache } = await leasedCache(producer, 'aes-128-gcm', slabs);
    const put = (start: number): Promise<void> =>
      cache.putMany(Array.from({ length: batch }, (_, index) => [keyOf(start + index), value] as const));
    for (let start = 0; start < pairs; start += batch) await put(start);
    const { entries, metadataBytes } = cache.stats();
    return metadataBytes / entries;
  } finally {
    await producer.close();
  }
}

function lossRow({ points, longestMs, failures }: Loss): Row {
  const share = (after: boolean): number =>
    spreadOf(points.filter(({ ms }) => (after ? ms > 0 : ms < 0)).map(({ hitShare }) => hitShare)).median;
  return {
    name: 'one of two producers is killed under load',
    contender: 'exopool aes-128-gcm',
    engine: `${failures} failures`,
    hit_share_before: share(false),
    hit_share_after: share(true),
    longest_ms: longestMs,
  };
}

/** If the machine lacks something, the part is left out and the rest runs. An abort is passed on. */
async function orNote<T>(
  notes: string[],
  { signal }: Pick<SuiteOptions, 'signal'>,
  work: () => Promise<T>,
): Promise<T[]> {
  try {
    return [await work()];
  } catch (error) {
    signal.throwIfAborted();
    notes.push(toExopoolError(error).message);
    return [];
  }
}
